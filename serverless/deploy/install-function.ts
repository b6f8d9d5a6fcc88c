/** Installs a function by Function Compute's control plane, through the official SDK. */
import * as fc from "@alicloud/fc20230330";
import type { FunctionProperties } from "./function-properties.ts";

type Client = InstanceType<typeof fc.default.default>;

export interface ControlPlane {
  /** `HOST:PORT`. */
  readonly endpoint: string;
  readonly protocol: "http" | "https";
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
}

/** Longest pause of an answer, in milliseconds: the other side unpacks what was sent. */
const timeoutMs = 60_000;

/** @param zip the function's package */
export async function installFunction(
  plane: ControlPlane,
  given: FunctionProperties,
  zip: Uint8Array,
): Promise<"created" | "updated"> {
  const client = connect(plane);
  // Triggers are things of their own for the API, and s.yaml's region is the endpoint's.
  const { triggers: _triggers, region: _region, code: _code, ...settings } = given;
  const code = new fc.InputCodeLocation({ zipFile: Buffer.from(zip).toString("base64") });
  const input = { ...settings, code };
  if (await exists(client, given.functionName)) {
    const body = new fc.UpdateFunctionInput(input);
    await client.updateFunction(given.functionName, new fc.UpdateFunctionRequest({ body }));
    return "updated";
  }
  await client.createFunction(new fc.CreateFunctionRequest({ body: new fc.CreateFunctionInput(input) }));
  return "created";
}

function connect(plane: ControlPlane): Client {
  const config = { ...plane, readTimeout: timeoutMs, connectTimeout: timeoutMs };
  // The module is CommonJS: its default export is one step further in.
  return new fc.default.default(config as ConstructorParameters<typeof fc.default.default>[0]);
}

async function exists(client: Client, name: string): Promise<boolean> {
  try {
    await client.getFunction(name, new fc.GetFunctionRequest({}));
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === "FunctionNotFound") return false;
    throw error;
  }
}
