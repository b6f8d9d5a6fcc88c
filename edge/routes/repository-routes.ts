/** The V2 repository extension: lists models, and loads and unloads them while the server runs. */
import type { Context, Hono } from "hono";
import type { AccessGate } from "../../base/access/access-gate.ts";
import { showValue } from "../../base/error-text.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { type JsonObject, parseJson, readObject, readParameters } from "../../protocol/fields.ts";
import type { Parameters } from "../../protocol/tensor.ts";
import { refuseBroughtCode } from "../../protocol/server/brought-code.ts";
import type { ModelInstaller } from "../install/model-installer.ts";
import { readChange } from "../install/model-change.ts";
import type { ModelSet } from "../models/model-set.ts";
import { readBody } from "../../protocol/server/read-body.ts";
import { route } from "../../protocol/server/route.ts";

const modelPath = "/v2/repository/models/:model";

export function addRepositoryRoutes(
  app: Hono,
  models: ModelSet,
  installer: ModelInstaller,
  gate: AccessGate,
): void {
  route(app, "POST", ["/v2/repository/index"], async (context) => {
    const { ready = false } = await bodyOf(context);
    if (typeof ready !== "boolean")
      throw new ProtocolError(`ready is ${showValue(ready)}; allowed: true, false`);
    return context.json(models.index().filter(({ state }) => !ready || state === "READY"));
  });
  route(app, "POST", [`${modelPath}/load`], async (context) => {
    const name = context.req.param("model") as string;
    const parameters = await parametersOf(context);
    const change = readChange(parameters);
    refuseBroughtCode(parameters, gate, context);
    await installer.load(name, change);
    return context.json({});
  });
  route(app, "POST", [`${modelPath}/unload`], async (context) => {
    const name = context.req.param("model") as string;
    const { unload_dependents: withDependents = false } = await parametersOf(context);
    if (typeof withDependents !== "boolean")
      throw new ProtocolError(`unload_dependents is ${showValue(withDependents)}; allowed: true, false`);
    const dependents = withDependents ? models.dependentsOf(name) : [];
    await models.unload(name, "unloaded");
    await Promise.all(dependents.map((each) => models.unload(each, `unloaded with ${name}`)));
    return context.json({});
  });
}

async function parametersOf(context: Context): Promise<Parameters> {
  return readParameters((await bodyOf(context))["parameters"], "parameters");
}

/** The object in a body, which is empty when the body is. */
async function bodyOf(context: Context): Promise<JsonObject> {
  const bytes = new Uint8Array(await readBody(context));
  return bytes.length === 0 ? {} : readObject(parseJson(bytes, "the body"), "the body");
}
