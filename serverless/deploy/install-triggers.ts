/** Gives a function the HTTP triggers of s.yaml by the control plane: they are things of their own for the API. */
import { fc, type Client } from "./control-plane.ts";
import type { FunctionProperties } from "./function-properties.ts";

/** Those that are not in s.yaml go, the others are created or updated. Returns their URLs. */
export async function installTriggers(
  client: Client,
  { functionName, triggers = [] }: Pick<FunctionProperties, "functionName" | "triggers">,
): Promise<string[]> {
  const { body: listed } = await client.listTriggers(functionName, new fc.ListTriggersRequest({}));
  const present = new Set(listed?.triggers?.map(({ triggerName = "" }) => triggerName));
  const wanted = new Set(triggers.map(({ triggerName }) => triggerName));
  for (const name of present) if (!wanted.has(name)) await client.deleteTrigger(functionName, name);
  const urls: string[] = [];
  for (const { triggerName, triggerConfig, ...settings } of triggers) {
    // The API takes it as text.
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
