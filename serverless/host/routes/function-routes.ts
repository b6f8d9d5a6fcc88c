/** Function Compute's API for functions: create, get, update, list, delete, and invoke. */
import type { Context, Hono } from "hono";
import { headOf, isFromThisMachine } from "../../../base/access/request-head.ts";
import { maxPayloadBytes, packageLimits } from "../../prices/fc-limits.ts";
import type { StoredFunction } from "../deployed/function-store.ts";
import { FcRefusal } from "../fc-refusal.ts";
import { invokeAnswer } from "./call-answer.ts";
import { apiAnswer, type HostEnv, type HostParts } from "./gate.ts";

const path = "/2023-03-30/functions";
/** The code, and a MiB for the other fields. */
const maxInputBytes = packageLimits.zippedBytes + 2 ** 20;
const maxPageSize = 100;

export function addFunctionRoutes(app: Hono<HostEnv>, { store, pool, gate }: HostParts): void {
  app.post(path, gate.deploys(maxInputBytes), async (context) =>
    apiAnswer(context, functionView(context, await store.create(context.var.body))),
  );
  app.get(path, gate.signed(0), (context) => {
    const limit = readLimit(context.req.query("limit"));
    const { prefix = "", nextToken = "" } = context.req.query();
    const listed = store.list(prefix, nextToken, limit + 1);
    // The token of the next page is the last name of this one.
    const more = listed.length > limit ? { nextToken: listed[limit - 1]?.config.name } : {};
    const functions = listed.slice(0, limit).map((stored) => functionView(context, stored));
    return apiAnswer(context, { functions, ...more });
  });
  app.get(`${path}/:name`, gate.signed(0), (context) => {
    const stored = store.get(context.req.param("name"), context.req.query("qualifier"));
    return apiAnswer(context, functionView(context, stored));
  });
  app.put(`${path}/:name`, gate.deploys(maxInputBytes), async (context) => {
    const stored = await store.update(context.req.param("name"), context.var.body);
    return apiAnswer(context, functionView(context, stored));
  });
  app.delete(`${path}/:name`, gate.deploys(0), async (context) => {
    await store.delete(context.req.param("name"));
    return apiAnswer(context, null);
  });
  app.all(`${path}/:name/async-invoke-config`, gate.deploys(maxInputBytes), () => {
    throw new FcRefusal("PathNotSupported", "the local host does not emulate asynchronous calls");
  });
  app.post(`${path}/:name/invocations`, gate.signed(maxPayloadBytes), async ({ req, var: values }) => {
    const { requestId, body } = values;
    const type = req.header("x-fc-invocation-type") ?? "Sync";
    if (type !== "Sync") {
      const message = `x-fc-invocation-type is ${type}; allowed: Sync (the local host does not emulate asynchronous calls)`;
      throw new FcRefusal("InvalidArgument", message);
    }
    const { config } = store.get(req.param("name"), req.query("qualifier"));
    const wantsLog = req.header("x-fc-log-type") === "Tail";
    const call = await pool.call(config.name, { requestId, body, wantsLog });
    return invokeAnswer({ requestId, config, call }, wantsLog);
  });
}

function readLimit(given: string | undefined): number {
  const limit = Number(given ?? 20);
  if (Number.isInteger(limit) && limit >= 1 && limit <= maxPageSize) return limit;
  throw new FcRefusal("InvalidArgument", `limit is ${given}; allowed: 1 to ${maxPageSize}`);
}

/**
 * A function in the form of the SDK's model `Function`. A change takes effect before it is answered, so the state is always
 * the final one. Environment variables may hold secrets and the host's key is public, so they are shown to programs on
 * this machine only.
 */
function functionView(context: Context<HostEnv>, stored: StoredFunction): object {
  const { environmentVariables, ...settings } = stored.settings;
  const { layers } = settings;
  return {
    ...settings,
    ...(environmentVariables && isFromThisMachine(headOf(context)) && { environmentVariables }),
    // The API takes layers as texts and returns them as objects.
    ...(layers && { layers: layers.map((arn) => ({ arn })) }),
    ...(stored.code && { codeSize: stored.code.bytes, codeChecksum: stored.code.checksum }),
    functionId: stored.id,
    functionArn: `acs:fc:local:0:functions/${stored.settings.functionName}`,
    createdTime: new Date(stored.createdAtUnixMs).toISOString(),
    lastModifiedTime: new Date(stored.modifiedAtUnixMs).toISOString(),
    state: "Active",
    lastUpdateStatus: "Successful",
  };
}
