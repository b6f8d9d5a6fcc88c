/** InvokeFunction: a signed call of a function, answered when it ended. */
import type { Hono } from "hono";
import type { FunctionStore } from "../deployed/function-store.ts";
import { fcErrorStatus } from "../fc-contract.ts";
import { FcRefusal } from "../fc-refusal.ts";
import type { Instances } from "../instances.ts";
import { answerOf } from "../invoke-answer.ts";
import type { Meter } from "../meter.ts";
import type { HostEnv, Signed } from "./host-route.ts";

const maxBodyBytes = 32 * 1024 * 1024;

export interface InvokeRouteOptions {
  readonly store: FunctionStore;
  readonly instances: Instances;
  readonly meter: Meter;
  readonly signed: Signed;
}

export function addInvokeRoute(app: Hono<HostEnv>, options: InvokeRouteOptions): void {
  const { store, instances, meter, signed } = options;
  app.post("/2023-03-30/functions/:name/invocations", signed(maxBodyBytes), async (context) => {
    const { requestId, body } = context.var;
    const type = context.req.header("x-fc-invocation-type") ?? "Sync";
    if (type !== "Sync") {
      throw new FcRefusal("InvalidArgument", `invocation type ${type} is not offered here yet; use Sync`);
    }
    const { config } = store.get(context.req.param("name"));
    const wantsLog = context.req.header("x-fc-log-type") === "Tail";
    const call = await instances.call(config.name, { requestId, body, wantsLog });
    if (!call.ran) {
      if (fcErrorStatus[call.code] === 412) meter.failedToStart(config.name);
      throw new FcRefusal(call.code, call.message);
    }
    if (call.initializeMs > 0) meter.initialized(config.name, call.initializeMs);
    const answer = answerOf({ requestId, config, call, wantsLog });
    const { coldStartMs, invoke } = call;
    meter.called(config.name, { durationMs: invoke.durationMs, coldStartMs, failed: answer.failed });
    return answer.response;
  });
}
