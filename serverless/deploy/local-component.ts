/**
 * Stands in for the component fc3 of Serverless Devs: `s verify` checks by our own schema, and `s deploy` installs the
 * functions in a local function host. `SPILLWAY_FC_COMPONENT` of s.yaml names the built file of this module.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { functionPropertiesSchema, readFunctionProperties } from "./function-properties.ts";

/** The part that is used here of what `s` gives to a component. */
interface Inputs {
  readonly props: unknown;
  readonly yaml: { readonly path: string };
  getCredential(): Promise<{ readonly AccessKeyID: string; readonly AccessKeySecret: string }>;
}

const defaultEndpoint = "http://127.0.0.1:9000";

export default class LocalComponent {
  /** For `s verify`. */
  getSchema(): string {
    return JSON.stringify(functionPropertiesSchema());
  }

  /**
   * @throws Error with a line for each property that is not allowed, or what the host refused
   */
  async deploy(inputs: Inputs): Promise<object> {
    const given = readFunctionProperties(inputs.props);
    const { AccessKeyID: accessKeyId, AccessKeySecret: accessKeySecret } = await inputs.getCredential();
    const { host: endpoint, protocol } = new URL(process.env["SPILLWAY_FC_ENDPOINT"] ?? defaultEndpoint);
    // `s verify` needs no SDK.
    const { installFunction } = await import("./install-function.ts");
    const { done, urls } = await installFunction(
      { endpoint, protocol: protocol === "https:" ? "https" : "http", accessKeyId, accessKeySecret },
      // The platform reaches a function from outside; on one machine nobody else should.
      { ...given, environmentVariables: { ...given.environmentVariables, SPILLWAY_HOST: "127.0.0.1" } },
      readPackage(resolve(dirname(inputs.yaml.path), given.code)),
    );
    return { functionName: given.functionName, done, endpoint, ...(urls.length > 0 && { urls }) };
  }
}

function readPackage(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Error(
      `${path}: no zip to be read (${(error as Error).message}); made by npm run build:function`,
      {
        cause: error,
      },
    );
  }
}
