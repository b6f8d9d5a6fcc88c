/** InvokeFunction: a signed call of a function, answered when it ended, or taken to be run later. */
import type { Hono } from "hono";
import { maxAsyncPayloadBytes, maxPayloadBytes } from "../../prices/fc-limits.ts";
import type { AsyncCalls } from "../calls/async-calls.ts";
import type { Caller } from "../calls/caller.ts";
import type { FunctionStore } from "../deployed/function-store.ts";
import { FcRefusal } from "../fc-refusal.ts";
import { invokeAnswer } from "../calls/invoke-answer.ts";
import type { Gate, HostEnv } from "./host-route.ts";

export interface InvokeRouteOptions {
  readonly store: FunctionStore;
  readonly caller: Caller;
  readonly asyncCalls: AsyncCalls;
  readonly gate: Gate;
}

const isAsync = (type: string | undefined): boolean => type === "Async";

export function addInvokeRoute(
  app: Hono<HostEnv>,
  { store, caller, asyncCalls, gate }: InvokeRouteOptions,
): void {
  const signed = gate.signed(({ req }) =>
    isAsync(req.header("x-fc-invocation-type")) ? maxAsyncPayloadBytes : maxPayloadBytes,
  );
  app.post("/2023-03-30/functions/:name/invocations", signed, async ({ req, var: { requestId, body } }) => {
    const type = req.header("x-fc-invocation-type") ?? "Sync";
    if (type !== "Sync" && !isAsync(type)) {
      throw new FcRefusal("InvalidArgument", `x-fc-invocation-type is ${type}; allowed: Sync, Async`);
    }
    const { config } = store.get(req.param("name"), req.query("qualifier"));
    if (isAsync(type)) {
      const taskId = req.header("x-fc-async-task-id") ?? requestId;
      asyncCalls.take({ name: config.name, requestId, taskId, body });
      return new Response(null, {
        status: 202,
        headers: { "x-fc-request-id": requestId, "x-fc-async-task-id": taskId },
      });
    }
    const wantsLog = req.header("x-fc-log-type") === "Tail";
    const call = await caller.call(config, { requestId, body, wantsLog });
    if (!call.ran) throw new FcRefusal(call.code, call.message);
    return invokeAnswer({ requestId, config, call }, wantsLog);
  });
}
