/** The function host: stands in for Alibaba Function Compute 3.0 with processes on this machine. It is a Hono app. */
import { Hono } from "hono";
import type { Logger } from "pino";
import { checkInteger, checkRange } from "../../base/check-range.ts";
import { AccessGate } from "../../base/access/access-gate.ts";
import { seededRandom } from "../../base/random.ts";
import { functionName } from "../prices/fc-limits.ts";
import { unitsPerS, type PriceSheet } from "../prices/price.ts";
import { BodyRoom } from "./body-room.ts";
import { FunctionStore } from "./deployed/function-store.ts";
import { newRequestId, type FunctionConfig } from "./fc-contract.ts";
import { FcRefusal } from "./fc-refusal.ts";
import { InjectedFaults } from "./injected-faults.ts";
import type { MakeCgroup } from "./instances/cgroup-probe.ts";
import { defaultInstanceLimits, type InstanceLimits } from "./instances/function-process.ts";
import { InstancePool } from "./instances/instance-pool.ts";
import { defaultScaling, type ScalingRules } from "./instances/scaling.ts";
import { Meter, type Bill } from "./meter.ts";
import { addHostAdminRoutes } from "./routes/admin-routes.ts";
import { addFunctionRoutes } from "./routes/function-routes.ts";
import { Gate, type HostEnv } from "./routes/gate.ts";
import { addTriggerRoutes } from "./routes/trigger-routes.ts";

/** The scaling rules default to Function Compute's, but for 4 instances at a time, since each is a process here. */
export interface FunctionHostOptions extends Partial<ScalingRules> {
  readonly functions: readonly FunctionConfig[];
  /** Secrets by access key id. */
  readonly accessKeys: Readonly<Record<string, string>>;
  readonly prices: PriceSheet;
  /** Draws the time that is added to a start, in milliseconds; default: nothing. */
  readonly coldStartMs?: () => number;
  /** Makes the control group that bounds a process to its function's size; default: processes are not bounded. */
  readonly makeCgroup?: MakeCgroup;
  readonly log: Logger;
  readonly limits?: Partial<InstanceLimits>;
  /** Access keys whose secret everybody knows: their holders call functions and do not change them. */
  readonly publicKeys?: readonly string[];
  /** Who may use /admin; default: programs on this machine. Refuses web pages of other sites everywhere. */
  readonly gate?: AccessGate;
  /** Most bytes of request bodies that are held at a time; default 512 MiB. */
  readonly maxHeldBytes?: number;
  /** The date by which signatures are checked, in milliseconds since 1970; default: this machine's. */
  readonly nowUnixMs?: () => number;
  /** The clock by which injected faults end, in milliseconds; default: monotonic time. */
  readonly nowMs?: () => number;
  /** Seed of what is drawn for injected faults; default 1. */
  readonly faultSeed?: number;
}

export interface FunctionHost {
  readonly app: Pick<Hono<HostEnv>, "fetch" | "request">;
  /** Refuse new calls (503), let the running ones end, then stop every instance. */
  close(): Promise<void>;
  bill(): Bill;
}

/** Throws a RangeError when a function or a bound is not usable, or a size is not in the price sheet. */
export function createFunctionHost(options: FunctionHostOptions): FunctionHost {
  const { functions, accessKeys, prices, log } = options;
  const { burst, growthPerMin, maxInstances, idleMs } = { ...defaultScaling, maxInstances: 4, ...options };
  checkFunctions(functions, maxInstances, idleMs, prices);
  const { nowUnixMs = Date.now, nowMs = () => performance.now(), faultSeed = 1 } = options;
  const meter = new Meter(prices);
  const faults = new InjectedFaults(seededRandom(faultSeed), nowMs);
  const pool = new InstancePool({
    functions,
    scaling: { burst, growthPerMin, maxInstances, idleMs },
    coldStartMs: options.coldStartMs ?? (() => 0),
    ...(options.makeCgroup && { makeCgroup: options.makeCgroup }),
    limits: { ...defaultInstanceLimits, ...options.limits },
    meter,
    faults,
    log,
  });
  const store = new FunctionStore({ functions, pool, nowUnixMs, log });
  const secrets = new Map(Object.entries(accessKeys));
  const room = new BodyRoom(options.maxHeldBytes ?? 2 ** 29);
  const gate = new Gate({
    secretFor: (accessKeyId) => secrets.get(accessKeyId),
    publicKeys: new Set(options.publicKeys),
    nowUnixMs,
    room,
  });
  const access = options.gate ?? new AccessGate();
  let closed: Promise<void> | undefined;

  const app = new Hono<HostEnv>();
  app.use(async (context, next) => {
    context.set("requestId", newRequestId(nowUnixMs()));
    if (closed !== undefined && !context.req.path.startsWith("/admin/")) {
      throw new FcRefusal("ServiceUnavailable", "the function host is closing");
    }
    return next();
  });
  // Whoever calls a function proves it by a signature, or needs no proof.
  app.use(access.protect((path) => (path.startsWith("/admin/") ? "admin" : undefined)));
  const parts = { store, pool, gate, meter, faults, nowUnixMs };
  addFunctionRoutes(app, parts);
  addTriggerRoutes(app, parts);
  addHostAdminRoutes(app, parts);
  app.notFound(({ req, var: { requestId } }) =>
    new FcRefusal("PathNotSupported", `no ${req.method} ${req.path} here`).response(requestId),
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
      closed ??= pool.close().then(() => store.close());
      return closed;
    },
  };
}

function checkFunctions(
  functions: readonly FunctionConfig[],
  maxInstances: number,
  idleMs: number,
  prices: PriceSheet,
): void {
  checkInteger("maxInstances", maxInstances, 1);
  checkMs("idleMs", idleMs);
  const names = new Set<string>();
  for (const { name, command, timeoutMs, vcpu, memoryMib } of functions) {
    if (!functionName.test(name)) throw new RangeError(`function name "${name}"; allowed: ${functionName}`);
    if (names.has(name)) throw new RangeError(`function name "${name}" is used twice`);
    names.add(name);
    if (!command[0]) throw new RangeError(`function ${name} has no command`);
    if (!(vcpu > 0 && memoryMib > 0)) {
      throw new RangeError(
        `function ${name} has ${vcpu} vCPU and ${memoryMib} MiB; allowed: more than 0 of both`,
      );
    }
    // Throws when the sheet has no price for this size, before a call of it would.
    unitsPerS(prices, { vcpu, memoryMib });
    checkMs(`timeoutMs of function ${name}`, timeoutMs);
  }
}

/** Timers of Node take at most 2^31 - 1 ms and fire at once beyond it. */
function checkMs(name: string, ms: number): void {
  checkRange(name, ms, ms >= 1 && ms < 2 ** 31, `1 to ${2 ** 31 - 1}`);
}
