/** Which access key is used with Function Compute: the environment's, or a fixed one with the local host. */
import { UsageError } from "./options.ts";

export interface FunctionComputeKey {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly securityToken?: string;
}

/**
 * @param isLocal true when the key is for the local function host, which needs no secret
 * @throws UsageError when the cloud is meant and the environment holds no key
 */
export function functionComputeKey(
  env: Readonly<Record<string, string | undefined>>,
  isLocal: boolean,
): FunctionComputeKey {
  if (isLocal) return { accessKeyId: "local", accessKeySecret: "local" };
  const accessKeyId = env["ALIBABA_CLOUD_ACCESS_KEY_ID"];
  const accessKeySecret = env["ALIBABA_CLOUD_ACCESS_KEY_SECRET"];
  const securityToken = env["ALIBABA_CLOUD_SECURITY_TOKEN"];
  if (accessKeyId === undefined || accessKeySecret === undefined) {
    throw new UsageError(
      "Function Compute needs ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET in the environment",
    );
  }
  return { accessKeyId, accessKeySecret, ...(securityToken === undefined ? {} : { securityToken }) };
}
