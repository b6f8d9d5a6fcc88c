/**
 * HTTP triggers: their definition by the API, and the way in that they are. On the platform each has a host name of its
 * own; here the request for a function's `/x` goes to `/trigger/NAME/x`.
 */
import type { Context, Hono } from "hono";
import { maxPayloadBytes } from "../../prices/fc-limits.ts";
import type { TriggerRequest } from "../calls/call.ts";
import type { Caller } from "../calls/caller.ts";
import type { FunctionStore, StoredFunction } from "../deployed/function-store.ts";
import { readTrigger, readTriggerUpdate, type HttpTrigger } from "../deployed/http-trigger.ts";
import { PLATFORM_HEADERS } from "../fc-contract.ts";
import { FcRefusal } from "../fc-refusal.ts";
import { triggerAnswer } from "../calls/invoke-answer.ts";
import type { Gate, HostEnv } from "./host-route.ts";

const path = "/2023-03-30/functions/:name/triggers";
const maxInputBytes = 2 ** 16;

export interface TriggerRoutesOptions {
  readonly store: FunctionStore;
  readonly caller: Caller;
  readonly gate: Gate;
  readonly nowUnixMs: () => number;
}

export function addTriggerRoutes(
  app: Hono<HostEnv>,
  { store, caller, gate, nowUnixMs }: TriggerRoutesOptions,
): void {
  app.post(path, gate.deploys(maxInputBytes), (context) => {
    const stored = store.get(context.req.param("name"));
    if (stored.trigger !== undefined) {
      throw new FcRefusal(
        "TriggerAlreadyExists",
        `function ${stored.config.name} has an HTTP trigger; one is allowed`,
      );
    }
    const trigger = readTrigger(context.var.body, nowUnixMs());
    store.change(stored.config.name, { trigger });
    return answer(context, triggerView(stored, trigger, context.req.url));
  });
  app.get(path, gate.signed(0), (context) => {
    const stored = store.get(context.req.param("name"));
    const { trigger } = stored;
    const triggers = trigger === undefined ? [] : [triggerView(stored, trigger, context.req.url)];
    return answer(context, { triggers });
  });
  app.get(`${path}/:trigger`, gate.signed(0), (context) => {
    const { name, trigger: named } = context.req.param();
    const stored = store.get(name);
    return answer(context, triggerView(stored, triggerOf(stored, named), context.req.url));
  });
  app.put(`${path}/:trigger`, gate.deploys(maxInputBytes), (context) => {
    const { name, trigger: named } = context.req.param();
    const stored = store.get(name);
    const trigger = readTriggerUpdate(context.var.body, triggerOf(stored, named), nowUnixMs());
    store.change(name, { trigger });
    return answer(context, triggerView(stored, trigger, context.req.url));
  });
  app.delete(`${path}/:trigger`, gate.deploys(0), (context) => {
    const { name, trigger: named } = context.req.param();
    triggerOf(store.get(name), named);
    store.change(name, { trigger: undefined });
    return context.body(null, 204, { "x-fc-request-id": context.var.requestId });
  });

  const enter = gate.checked(maxPayloadBytes, (context) => {
    const { authType, methods } = triggerOf(store.get(context.req.param("name") ?? ""));
    const { method } = context.req;
    if (!methods.includes(method)) {
      throw new FcRefusal("MethodNotAllowed", `${method} is not allowed; allowed: ${methods.join(", ")}`);
    }
    if (authType === "function") gate.verify(context, "unsigned");
  });
  app.all("/trigger/:name/*", enter, async (context) => {
    const { requestId, body } = context.var;
    const { config } = store.get(context.req.param("name"));
    const trigger = triggerRequest(context.req.raw);
    const call = await caller.call(config, { requestId, body, wantsLog: false, trigger });
    if (!call.ran) throw new FcRefusal(call.code, call.message);
    return triggerAnswer({ requestId, config, call });
  });
}

function answer(context: Context<HostEnv>, body: object): Response {
  return context.json(body, 200, { "x-fc-request-id": context.var.requestId });
}

/** @param name undefined: any */
function triggerOf({ config, trigger }: StoredFunction, name = trigger?.name): HttpTrigger {
  if (trigger !== undefined && trigger.name === name) return trigger;
  throw new FcRefusal(
    "TriggerNotFound",
    `function ${config.name} has no HTTP trigger${name ? ` ${name}` : ""}`,
  );
}

/** What the function sees: its own path, and no header of the platform's or of the caller's connection. */
function triggerRequest(request: Request): TriggerRequest {
  const { pathname, search } = new URL(request.url);
  const own = Array.from(request.headers).filter(
    ([header]) => !header.startsWith("x-fc-") && !PLATFORM_HEADERS.has(header) && header !== "expect",
  );
  return {
    method: request.method,
    path: (pathname.replace(/^\/trigger\/[^/]+/, "") || "/") + search,
    headers: Object.fromEntries(own),
  };
}

function triggerView({ config }: StoredFunction, trigger: HttpTrigger, url: string): object {
  const { id, name, authType, methods, createdAtUnixMs, modifiedAtUnixMs } = trigger;
  return {
    triggerId: id,
    triggerName: name,
    triggerType: "http",
    triggerConfig: JSON.stringify({ authType, methods }),
    qualifier: "LATEST",
    httpTrigger: { urlInternet: new URL(`/trigger/${config.name}`, url).href },
    createdTime: new Date(createdAtUnixMs).toISOString(),
    lastModifiedTime: new Date(modifiedAtUnixMs).toISOString(),
  };
}
