/**
 * The function host: answers for Alibaba Function Compute 3.0 from processes on this machine, so that everything runs
 * without an account. It speaks HTTP by a Hono app; whoever makes it listens.
 */
import { Hono } from "hono";
import type { PriceSheet } from "../prices/price.ts";
import { seededRandom } from "../../base/random.ts";
import { adminGuard } from "../../base/program/admin-guard.ts";
import { AsyncCalls, type Clock } from "./calls/async-calls.ts";
import { Caller } from "./calls/caller.ts";
import { checkFunctions } from "./check-functions.ts";
import { FunctionStore } from "./deployed/function-store.ts";
import type { MakeCgroup } from "./instances/cgroup-probe.ts";
import { Faults } from "./faults.ts";
import { newRequestId, type FunctionConfig } from "./fc-contract.ts";
import { FcRefusal } from "./fc-refusal.ts";
import { defaultInstanceLimits, type InstanceLimits } from "./instances/instance-limits.ts";
import type { Log } from "./log.ts";
import { InvoiceBook } from "./calls/invoice.ts";
import { Instances } from "./instances/instances.ts";
import { Meter, type Bill } from "./calls/meter.ts";
import { BodyRoom } from "./read-bounded.ts";
import { addAdminRoutes } from "./routes/admin-routes.ts";
import { addAsyncRoutes } from "./routes/async-routes.ts";
import { addFunctionRoutes } from "./routes/function-routes.ts";
import { Gate, type HostEnv } from "./routes/host-route.ts";
import { addInvokeRoute } from "./routes/invoke-route.ts";
import { addTriggerRoutes } from "./routes/trigger-routes.ts";
import { defaultScaling, type ScalingRules } from "./instances/scaling.ts";

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
  /** Bearer token for /admin; undefined: only programs on this machine may ask it. */
  readonly adminToken?: string | undefined;
  /** Most bytes of requests' bodies that are held at a time; default 512 MiB. */
  readonly maxHeldBytes?: number;
  /** The date by which signatures are checked; default: this machine's, in milliseconds since 1970. */
  readonly nowUnixMs?: () => number;
  /** By which asynchronous calls wait and faults end; default: real time. */
  readonly clock?: Clock;
  /** Of what is drawn for faults. */
  readonly faultSeed?: number;
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
 * @throws RangeError when a function or a bound is not usable, or a size is not in the price sheet
 */
export function createFunctionHost(options: FunctionHostOptions): FunctionHost {
  const { functions, accessKeys, prices, log } = options;
  const { burst, growthPerMin, maxInstances, idleMs } = { ...defaultScaling, maxInstances: 4, ...options };
  checkFunctions(functions, maxInstances, idleMs, prices);
  const limits = { ...defaultInstanceLimits, ...options.limits };
  const { nowUnixMs = Date.now, clock = realClock, faultSeed = 1, maxHeldBytes = 2 ** 29 } = options;
  const book = prices.kind === "cu" ? new InvoiceBook(prices, nowUnixMs() - performance.now()) : undefined;
  const meter = new Meter(prices, (name, cu, nowMs) => book?.charge(name, cu, nowMs));
  const instances = new Instances({
    functions,
    scaling: { burst, growthPerMin, maxInstances, idleMs },
    coldStartMs: options.coldStartMs ?? (() => 0),
    ...(options.makeCgroup && { makeCgroup: options.makeCgroup }),
    limits,
    meter,
    log,
  });
  const store = new FunctionStore({ functions, instances, nowUnixMs, log });
  const faults = new Faults(seededRandom(faultSeed), () => clock.nowMs());
  const caller = new Caller(instances, meter, faults);
  const functionNamed = (name: string): ReturnType<typeof store.get> => store.get(name);
  const asyncCalls = new AsyncCalls({ caller, functionNamed, atOnce: maxInstances, clock, log });
  const secrets = new Map(Object.entries(accessKeys));
  const room = new BodyRoom(maxHeldBytes);
  const gate = new Gate({ secretFor: (accessKeyId) => secrets.get(accessKeyId), nowUnixMs, room });
  let closed: Promise<void> | undefined;

  const app = new Hono<HostEnv>();
  app.use(async (context, next) => {
    context.set("requestId", newRequestId(nowUnixMs()));
    if (closed !== undefined && !context.req.path.startsWith("/admin/")) {
      throw new FcRefusal("ServiceUnavailable", "the function host is closing");
    }
    return next();
  });
  addFunctionRoutes(app, store, gate);
  addInvokeRoute(app, { store, caller, asyncCalls, gate });
  addAsyncRoutes(app, store, gate);
  addTriggerRoutes(app, { store, caller, gate, nowUnixMs });
  addAdminRoutes(app, {
    store,
    instances,
    meter,
    book,
    asyncCalls,
    faults,
    guard: adminGuard(options.adminToken),
  });
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
      closed ??= close();
      return closed;
    },
  };

  async function close(): Promise<void> {
    await asyncCalls.close();
    await instances.close();
    await store.close();
  }
}

const realClock: Clock = {
  nowMs: () => performance.now(),
  after: (ms, act) => {
    const timer = setTimeout(act, ms).unref();
    return () => clearTimeout(timer);
  },
};
