/**
 * The function host: answers the InvokeFunction call of Alibaba Function Compute 3.0 from processes on this
 * machine, so that everything runs without an account. It speaks HTTP by a Hono app; whoever makes it listens.
 */
import { Hono } from "hono";
import type { PriceSheet } from "../algorithms/price.ts";
import { checkFunctions } from "./check-functions.ts";
import { FunctionStore } from "./deployed/function-store.ts";
import type { MakeCgroup } from "./cgroup-probe.ts";
import { newRequestId, type FunctionConfig } from "./fc-contract.ts";
import { FcRefusal } from "./fc-refusal.ts";
import { defaultInstanceLimits, type InstanceLimits } from "./instance-limits.ts";
import type { Log } from "./instance.ts";
import { Instances } from "./instances.ts";
import { Meter, type Bill } from "./meter.ts";
import { addFunctionRoutes } from "./routes/function-routes.ts";
import { defaultScaling, type ScalingRules } from "./scaling.ts";
import { signedRoutes, type HostEnv } from "./routes/host-route.ts";
import { addInvokeRoute } from "./routes/invoke-route.ts";

/** The scaling rules are Function Compute's, but for the instances: 4 at a time, since each is a process here. */
export interface FunctionHostOptions extends Partial<ScalingRules> {
  readonly functions: readonly FunctionConfig[];
  /** Secrets by access key id. */
  readonly accessKeys: Readonly<Record<string, string>>;
  readonly prices: PriceSheet;
  /** Draws what is added to the start of each process, in milliseconds; default: nothing. */
  readonly coldStartMs?: () => number;
  /** Makes the group that holds a process to its function's size; default: nothing does. */
  readonly makeCgroup?: MakeCgroup;
  readonly log: Log;
  readonly limits?: Partial<InstanceLimits>;
  /** The clock by which requests are dated; default: this machine's. */
  readonly nowUnixMs?: () => number;
}

export interface FunctionHost {
  readonly app: Pick<Hono<HostEnv>, "fetch" | "request">;
  /** Refuse new calls (503), let the running ones end, then stop every instance. */
  close(): Promise<void>;
  bill(): Bill;
}

/**
 * A function host with no instance yet; the first call of a function starts one.
 *
 * @throws RangeError when a function or a bound is not usable
 */
export function createFunctionHost(options: FunctionHostOptions): FunctionHost {
  const { functions, accessKeys, prices, log } = options;
  const { burst, growthPerMin, maxInstances, idleMs } = { ...defaultScaling, maxInstances: 4, ...options };
  checkFunctions(functions, maxInstances, idleMs);
  const limits = { ...defaultInstanceLimits, ...options.limits };
  const { nowUnixMs = Date.now } = options;
  const meter = new Meter(prices);
  const instances = new Instances({
    functions,
    scaling: { burst, growthPerMin, maxInstances, idleMs },
    coldStartMs: options.coldStartMs ?? (() => 0),
    ...(options.makeCgroup && { makeCgroup: options.makeCgroup }),
    limits,
    meter,
    log,
  });
  const store = new FunctionStore({ functions, instances, nowUnixMs });
  const secrets = new Map(Object.entries(accessKeys));
  const signed = signedRoutes({ secretFor: (accessKeyId) => secrets.get(accessKeyId), nowUnixMs });
  let closed: Promise<void> | undefined;

  const app = new Hono<HostEnv>();
  app.use(async (context, next) => {
    context.set("requestId", newRequestId(nowUnixMs()));
    return next();
  });
  app.use("/2023-03-30/*", async (_, next) => {
    if (closed !== undefined) throw new FcRefusal("ServiceUnavailable", "the function host is closing");
    return next();
  });
  addFunctionRoutes(app, store, signed);
  addInvokeRoute(app, { store, instances, signed });
  app.get("/admin/bill", (c) => c.json(meter.bill(performance.now())));
  app.get("/admin/instances", (c) => c.json(instances.list()));
  app.notFound((context) =>
    new FcRefusal("PathNotSupported", `no ${context.req.method} ${context.req.path} here`).response(
      context.var.requestId,
    ),
  );
  app.onError((error, context) => {
    const { requestId } = context.var;
    if (error instanceof FcRefusal) return error.response(requestId);
    log.error({ err: error, requestId }, "the function host failed");
    const message = "the function host failed; its log says why";
    return new FcRefusal("InternalServerError", message).response(requestId);
  });

  return {
    app,
    bill: () => meter.bill(performance.now()),
    close: () => {
      closed ??= instances.close().then(() => store.close());
      return closed;
    },
  };
}
