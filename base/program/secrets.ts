/** The access key for Function Compute: from the environment, or a fixed one for the local function host. */
import { UsageError } from "../usage-error.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface FunctionComputeKey {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly securityToken?: string;
}

/**
 * @param isLocal true for the local function host, which needs no secret
 * @throws UsageError when the cloud is meant and the environment holds no key
 */
export function functionComputeKey(env: Environment, isLocal: boolean): FunctionComputeKey {
  if (isLocal) return { accessKeyId: "local", accessKeySecret: "local" };
  const accessKeyId = secretIn(env, "ALIBABA_CLOUD_ACCESS_KEY_ID", "Function Compute");
  const accessKeySecret = secretIn(env, "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "Function Compute");
  if (!env["ALIBABA_CLOUD_SECURITY_TOKEN"]) return { accessKeyId, accessKeySecret };
  const securityToken = secretIn(env, "ALIBABA_CLOUD_SECURITY_TOKEN", "Function Compute");
  return { accessKeyId, accessKeySecret, securityToken };
}

/**
 * A secret of the environment. Flags and files may be seen by others, so secrets come from nowhere else, and no message
 * repeats one.
 *
 * @throws UsageError when it is missing or cannot be sent in a header
 */
export function secretIn(env: Environment, name: string, who: string): string {
  const value = env[name];
  if (value === undefined) throw new UsageError(`${who} needs ${name} in the environment`);
  // A copied line end is the usual mistake.
  if (!/^[\x21-\x7e]+$/.test(value)) {
    throw new UsageError(`${name} in the environment is not valid; allowed: ASCII without blanks`);
  }
  return value;
}
