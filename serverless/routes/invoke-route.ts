/** InvokeFunction: a signed call of a function, answered when it ended. */
import type { Hono } from "hono";
import type { FunctionStore } from "../deployed/function-store.ts";
import { FcRefusal } from "../fc-refusal.ts";
import type { Instances } from "../instances.ts";
import { answerOf } from "../invoke-answer.ts";
import type { HostEnv, Signed } from "./host-route.ts";

const maxBodyBytes = 32 * 1024 * 1024;

export interface InvokeRouteOptions {
  readonly store: FunctionStore;
  readonly instances: Instances;
  readonly signed: Signed;
}

export function addInvokeRoute(app: Hono<HostEnv>, options: InvokeRouteOptions): void {
  const { store, instances, signed } = options;
  app.post("/2023-03-30/functions/:name/invocations", signed(maxBodyBytes), async (context) => {
    const { requestId, body } = context.var;
    const type = context.req.header("x-fc-invocation-type") ?? "Sync";
    if (type !== "Sync") {
      throw new FcRefusal("InvalidArgument", `invocation type ${type} is not offered here yet; use Sync`);
    }
    const { config } = store.get(context.req.param("name"));
    const wantsLog = context.req.header("x-fc-log-type") === "Tail";
    const call = await instances.call(config.name, requestId, body, { wantsLog });
    if (!call.ran) throw new FcRefusal(call.code, call.message);
    return answerOf({ requestId, config, call, wantsLog });
  });
}
