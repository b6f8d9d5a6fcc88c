/** Installs a function and its triggers in a control plane. */
import { connect, fc, type Client, type ControlPlane } from "./control-plane.ts";
import type { FunctionProperties } from "./function-properties.ts";
import { installTriggers } from "./install-triggers.ts";

/** How a function was installed, and the URLs of its HTTP triggers. */
interface Installed {
  readonly done: "created" | "updated";
  readonly urls: readonly string[];
}

/** @param zip the function's package */
export async function installFunction(
  plane: ControlPlane,
  given: FunctionProperties,
  zip: Uint8Array,
): Promise<Installed> {
  const client = connect(plane);
  // s.yaml's region is the endpoint's.
  const { triggers, region: _region, code: _code, ...settings } = given;
  const { functionName } = settings;
  const code = new fc.InputCodeLocation({ zipFile: Buffer.from(zip).toString("base64") });
  const input = { ...settings, code };
  const isThere = await exists(client, functionName);
  if (isThere) {
    const body = new fc.UpdateFunctionInput(input);
    await client.updateFunction(functionName, new fc.UpdateFunctionRequest({ body }));
  } else {
    await client.createFunction(new fc.CreateFunctionRequest({ body: new fc.CreateFunctionInput(input) }));
  }
  const urls = await installTriggers(client, { functionName, triggers });
  return { done: isThere ? "updated" : "created", urls };
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
