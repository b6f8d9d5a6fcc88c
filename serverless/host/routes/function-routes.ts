/** The control plane as far as a deploy needs it: create, get, update, list and delete functions. */
import type { Context, Hono } from "hono";
import { fromThisMachine } from "../../../base/program/admin-guard.ts";
import { packageLimits } from "../../prices/fc-limits.ts";
import type { FunctionStore, StoredFunction } from "../deployed/function-store.ts";
import { FcRefusal } from "../fc-refusal.ts";
import type { Gate, HostEnv } from "./host-route.ts";

const path = "/2023-03-30/functions";
/** The code, and room for what stands around it. */
const maxInputBytes = packageLimits.zippedBytes + 2 ** 20;
const mostListed = 100;

export function addFunctionRoutes(app: Hono<HostEnv>, store: FunctionStore, gate: Gate): void {
  app.post(path, gate.deploys(maxInputBytes), async (context) =>
    answer(context, functionView(context, await store.create(context.var.body))),
  );
  app.get(path, gate.signed(0), (context) => {
    const limit = readLimit(context.req.query("limit"));
    const { prefix = "", nextToken = "" } = context.req.query();
    const listed = store.list(prefix, nextToken, limit + 1);
    // A token is the last name that was listed.
    const more = listed.length > limit ? { nextToken: listed[limit - 1]?.config.name } : {};
    const functions = listed.slice(0, limit).map((stored) => functionView(context, stored));
    return answer(context, { functions, ...more });
  });
  app.get(`${path}/:name`, gate.signed(0), (context) =>
    answer(
      context,
      functionView(context, store.get(context.req.param("name"), context.req.query("qualifier"))),
    ),
  );
  app.put(`${path}/:name`, gate.deploys(maxInputBytes), async (context) =>
    answer(context, functionView(context, await store.update(context.req.param("name"), context.var.body))),
  );
  app.delete(`${path}/:name`, gate.deploys(0), async (context) => {
    await store.delete(context.req.param("name"));
    return context.body(null, 204, { "x-fc-request-id": context.var.requestId });
  });
}

function answer(context: Context<HostEnv>, body: object): Response {
  return context.json(body, 200, { "x-fc-request-id": context.var.requestId });
}

function readLimit(given: string | undefined): number {
  const limit = Number(given ?? 20);
  if (Number.isInteger(limit) && limit >= 1 && limit <= mostListed) return limit;
  throw new FcRefusal("InvalidArgument", `limit is ${given}; allowed: 1 to ${mostListed}`);
}

/**
 * As the SDK's model `Function` has it. A change is in force when it is answered, so every state is the good one.
 * Variables may hold secrets and the host's key is none, so only programs on this machine are told them.
 */
function functionView(context: Context<HostEnv>, stored: StoredFunction): object {
  const { environmentVariables, ...settings } = stored.settings;
  const { layers } = settings;
  return {
    ...settings,
    ...(environmentVariables && fromThisMachine(context) && { environmentVariables }),
    // They are given as texts and told of as objects.
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
