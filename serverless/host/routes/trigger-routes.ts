/**
 * HTTP triggers: the API that defines them, and the requests that come in through them. On the platform each trigger has a
 * host name; here a request for a function's path `/x` goes to `/trigger/NAME/x`.
 */
import type { Hono } from "hono";
import { maxPayloadBytes } from "../../prices/fc-limits.ts";
import type { StoredFunction } from "../deployed/function-store.ts";
import { readTrigger, readTriggerUpdate, type HttpTrigger } from "../deployed/http-trigger.ts";
import { isFunctionHeader } from "../fc-contract.ts";
import { FcRefusal } from "../fc-refusal.ts";
import type { TriggerRequest } from "../instances/function-server.ts";
import { triggerAnswer } from "./call-answer.ts";
import { apiAnswer, type HostEnv, type HostParts } from "./gate.ts";

const path = "/2023-03-30/functions/:name/triggers";
const maxInputBytes = 2 ** 16;

export function addTriggerRoutes(app: Hono<HostEnv>, { store, pool, gate, nowUnixMs }: HostParts): void {
  app.post(path, gate.deploys(maxInputBytes), (context) => {
    const stored = store.get(context.req.param("name"));
    const { name } = stored.config;
    if (stored.trigger !== undefined) {
      throw new FcRefusal("TriggerAlreadyExists", `function ${name} has an HTTP trigger; allowed: one`);
    }
    const trigger = readTrigger(context.var.body, nowUnixMs());
    store.setTrigger(name, trigger);
    return apiAnswer(context, triggerView(stored, trigger, context.req.url));
  });
  app.get(path, gate.signed(0), (context) => {
    const stored = store.get(context.req.param("name"));
    const { trigger } = stored;
    const triggers = trigger === undefined ? [] : [triggerView(stored, trigger, context.req.url)];
    return apiAnswer(context, { triggers });
  });
  app.get(`${path}/:trigger`, gate.signed(0), (context) => {
    const stored = store.get(context.req.param("name"));
    const trigger = triggerOf(stored, context.req.param("trigger"));
    return apiAnswer(context, triggerView(stored, trigger, context.req.url));
  });
  app.put(`${path}/:trigger`, gate.deploys(maxInputBytes), (context) => {
    const stored = store.get(context.req.param("name"));
    const old = triggerOf(stored, context.req.param("trigger"));
    const trigger = readTriggerUpdate(context.var.body, old, nowUnixMs());
    store.setTrigger(stored.config.name, trigger);
    return apiAnswer(context, triggerView(stored, trigger, context.req.url));
  });
  app.delete(`${path}/:trigger`, gate.deploys(0), (context) => {
    const stored = store.get(context.req.param("name"));
    triggerOf(stored, context.req.param("trigger"));
    store.setTrigger(stored.config.name, undefined);
    return apiAnswer(context, null);
  });

  const isAllowed = gate.checked(maxPayloadBytes, (context) => {
    const { authType, methods } = triggerOf(store.get(context.req.param("name") ?? ""));
    const { method } = context.req;
    if (!methods.includes(method)) {
      throw new FcRefusal("MethodNotAllowed", `${method} is not allowed; allowed: ${methods.join(", ")}`);
    }
    if (authType === "function") gate.verify(context, "unsigned");
  });
  app.all("/trigger/:name/*", isAllowed, async (context) => {
    const { requestId, body } = context.var;
    const { config } = store.get(context.req.param("name"));
    const trigger = triggerRequest(context.req.raw);
    const call = await pool.call(config.name, { requestId, body, wantsLog: false, trigger });
    return triggerAnswer({ requestId, config, call });
  });
}

/** @param name default: whatever the function's trigger is called */
function triggerOf({ config, trigger }: StoredFunction, name = trigger?.name): HttpTrigger {
  if (trigger !== undefined && trigger.name === name) return trigger;
  const message = `function ${config.name} has no HTTP trigger${name ? ` ${name}` : ""}`;
  throw new FcRefusal("TriggerNotFound", message);
}

/** The request as the function sees it: with its own path, without headers of the platform or of the connection. */
function triggerRequest(request: Request): TriggerRequest {
  const { pathname, search } = new URL(request.url);
  const own = Array.from(request.headers).filter(([name]) => isFunctionHeader(name) && name !== "expect");
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
