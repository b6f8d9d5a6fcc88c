/** Installs a function and its HTTP triggers through Function Compute's API, by the official SDK. */
import { createRequire } from "node:module";
import type FunctionCompute from "@alicloud/fc20230330";
import type { FunctionProperties } from "./function-properties.ts";

// By require, because the default import of this CommonJS module depends on who loads it.
const fc = createRequire(import.meta.url)("@alicloud/fc20230330") as typeof FunctionCompute;

type Client = InstanceType<typeof fc.default>;

/** Where the API is, and the key to it. */
export interface ControlPlane {
  /** `HOST:PORT`. */
  readonly endpoint: string;
  readonly protocol: "http" | "https";
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
}

/** Long, because the answer comes after the code was unpacked. */
const timeoutMs = 60_000;

/** Returns what was done, and the URLs of the function's HTTP triggers. `zip` is its package. */
export async function installFunction(
  plane: ControlPlane,
  properties: FunctionProperties,
  zip: Uint8Array,
): Promise<{ done: "created" | "updated"; urls: string[] }> {
  const config = { ...plane, readTimeout: timeoutMs, connectTimeout: timeoutMs };
  const client = new fc.default(config as ConstructorParameters<typeof fc.default>[0]);
  // The endpoint determines the region.
  const { triggers = [], region: _region, code: _code, ...settings } = properties;
  const { functionName } = settings;
  const code = new fc.InputCodeLocation({ zipFile: Buffer.from(zip).toString("base64") });
  const input = { ...settings, code };
  const isUpdate = await exists(client, functionName);
  if (isUpdate) {
    const body = new fc.UpdateFunctionInput(input);
    await client.updateFunction(functionName, new fc.UpdateFunctionRequest({ body }));
  } else {
    await client.createFunction(new fc.CreateFunctionRequest({ body: new fc.CreateFunctionInput(input) }));
  }
  const urls = await installTriggers(client, functionName, triggers);
  return { done: isUpdate ? "updated" : "created", urls };
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

/** Delete the triggers that s.yaml does not name, create or update the others, and return their URLs. */
async function installTriggers(
  client: Client,
  functionName: string,
  triggers: NonNullable<FunctionProperties["triggers"]>,
): Promise<string[]> {
  const { body: listed } = await client.listTriggers(functionName, new fc.ListTriggersRequest({}));
  const present = new Set(listed?.triggers?.map(({ triggerName = "" }) => triggerName));
  const wanted = new Set(triggers.map(({ triggerName }) => triggerName));
  for (const name of present) if (!wanted.has(name)) await client.deleteTrigger(functionName, name);
  const urls: string[] = [];
  for (const { triggerName, triggerConfig, ...settings } of triggers) {
    // The API takes the configuration as text.
    const input = { ...settings, triggerName, triggerConfig: JSON.stringify(triggerConfig) };
    const { body } = present.has(triggerName)
      ? await client.updateTrigger(
          functionName,
          triggerName,
          new fc.UpdateTriggerRequest({ body: new fc.UpdateTriggerInput(input) }),
        )
      : await client.createTrigger(
          functionName,
          new fc.CreateTriggerRequest({ body: new fc.CreateTriggerInput(input) }),
        );
    urls.push(body?.httpTrigger?.urlInternet ?? "");
  }
  return urls;
}
