/**
 * Stands in for the component fc3 of Serverless Devs: `s verify` checks s.yaml by our own schema, and `s deploy` installs
 * the functions in a local function host. `SPILLWAY_FC_COMPONENT` of s.yaml names the built file of this module.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { functionPropertiesSchema, readFunctionProperties } from "./function-properties.ts";

/** The part of what `s` hands to a component that is used here. */
interface Inputs {
  readonly props: unknown;
  readonly yaml: { readonly path: string };
  getCredential(): Promise<{ readonly AccessKeyID: string; readonly AccessKeySecret: string }>;
}

const defaultEndpoint = "http://127.0.0.1:9000";

export default class LocalComponent {
  /** Called by `s verify`. */
  getSchema(): string {
    return JSON.stringify(functionPropertiesSchema());
  }

  /** @throws Error with a line for each property that is not allowed, or with the host's refusal */
  async deploy(inputs: Inputs): Promise<object> {
    const properties = readFunctionProperties(inputs.props);
    if (properties.asyncInvokeConfig !== undefined) {
      throw new Error(
        "props.asyncInvokeConfig: the local host does not emulate asynchronous calls; leave it out",
      );
    }
    const { AccessKeyID: accessKeyId, AccessKeySecret: accessKeySecret } = await inputs.getCredential();
    const { host: endpoint, protocol } = new URL(process.env["SPILLWAY_FC_ENDPOINT"] ?? defaultEndpoint);
    // Imported here, because `s verify` does not need the SDK.
    const { installFunction } = await import("./install-function.ts");
    const { done, urls } = await installFunction(
      { endpoint, protocol: protocol === "https:" ? "https" : "http", accessKeyId, accessKeySecret },
      // The platform reaches a function from outside; on this machine nobody else should.
      {
        ...properties,
        environmentVariables: { ...properties.environmentVariables, SPILLWAY_HOST: "127.0.0.1" },
      },
      readPackage(resolve(dirname(inputs.yaml.path), properties.code)),
    );
    return { functionName: properties.functionName, done, endpoint, ...(urls.length > 0 && { urls }) };
  }
}

function readPackage(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const message = `${path}: the zip cannot be read (${(error as Error).message}); npm run build:function makes it`;
    throw new Error(message, { cause: error });
  }
}
