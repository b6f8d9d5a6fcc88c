/** The V2 repository extension of the queue: the models of all edges, and every edge has them loaded and unloaded. */
import type { Context, Hono } from "hono";
import { showValue } from "../../../base/error-text.ts";
import type { AccessGate } from "../../../base/access/access-gate.ts";
import { SpillwayError } from "../../../base/errors.ts";
import { ProtocolError } from "../../../protocol/errors.ts";
import { type JsonObject, parseJson, readObject, readParameters } from "../../../protocol/fields.ts";
import { refuseBroughtCode } from "../../../protocol/server/brought-code.ts";
import { readBody } from "../../../protocol/server/read-body.ts";
import { route } from "../../../protocol/server/route.ts";
import type { ModelDirectory } from "../model-directory.ts";
import { passedOn } from "./queue-models.ts";

const changedModel = "/v2/repository/models/:model";

export function addQueueRepository(app: Hono, models: ModelDirectory, gate: AccessGate): void {
  route(app, "POST", ["/v2/repository/index"], async (context) => {
    const { ready } = await bodyOf(context);
    if (ready !== undefined && ready !== null && typeof ready !== "boolean")
      throw new ProtocolError(`ready is ${showValue(ready)}; allowed: true, false`);
    const names = await models.list();
    if (names === undefined) throw new SpillwayError("model_not_found", "no target lists its models");
    const all = names.flatMap((name) => {
      const versions = models.listedVersions(name);
      // Of a model that functions have alone.
      return versions.length > 0 ? versions : [{ name, state: "READY" }];
    });
    return context.json(all.filter(({ state }) => ready !== true || state === "READY"));
  });
  for (const change of ["load", "unload"]) {
    route(app, "POST", [`${changedModel}/${change}`], async (context) => {
      const name = encodeURIComponent(context.req.param("model") as string);
      const path = `/v2/repository/models/${name}/${change}`;
      const body = await bodyOf(context);
      // An edge takes whatever comes from here for the work of a program on this machine.
      refuseBroughtCode(readParameters(body["parameters"], "parameters"), gate, context);
      return passedOn(await models.change(path, body, gate.passedProof(context)));
    });
  }
}

/** The object in a body, which is empty when the body is. */
async function bodyOf(context: Context): Promise<JsonObject> {
  const bytes = new Uint8Array(await readBody(context));
  return bytes.length === 0 ? {} : readObject(parseJson(bytes, "the body"), "the body");
}
