/**
 * The function host: answers the InvokeFunction call of Alibaba Function Compute 3.0 from processes on this
 * machine, so that everything runs without an account. It speaks HTTP by a Hono app; whoever makes it listens.
 */
import { Hono } from "hono";
import type { PriceSheet } from "../algorithms/price.ts";
import { verifyAcs3 } from "./acs3.ts";
import { fcErrorStatus, newRequestId, type FcErrorCode, type FunctionConfig } from "./fc-contract.ts";
import { defaultInstanceLimits, type InstanceLimits } from "./instance-limits.ts";
import type { Log } from "./instance.ts";
import { Instances } from "./instances.ts";
import { answerOf } from "./invoke-answer.ts";
import { Meter, type Bill } from "./meter.ts";
import { readBounded } from "./read-bounded.ts";

export interface FunctionHostOptions {
  readonly functions: readonly FunctionConfig[];
  /** Secrets by access key id. */
  readonly accessKeys: Readonly<Record<string, string>>;
  readonly prices: PriceSheet;
  /** Most function processes at a time, over all functions; default 4. */
  readonly maxInstances?: number;
  /** Time without a call after which an instance is stopped, in milliseconds; default 180,000. */
  readonly idleMs?: number;
  readonly log: Log;
  readonly limits?: Partial<InstanceLimits>;
}

export interface FunctionHost {
  readonly app: Hono;
  /** Refuse new calls (503), let the running ones end, then stop every instance. */
  close(): Promise<void>;
  bill(): Bill;
}

/** ASSUMED: Function Compute's rule, from memory. */
const FUNCTION_NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/;
const MAX_BODY_BYTES = 32 * 1024 * 1024;

/**
 * A function host with no instance yet; the first call of a function starts one.
 *
 * @throws RangeError when a function or a bound is not usable
 */
export function createFunctionHost(options: FunctionHostOptions): FunctionHost {
  const { functions, accessKeys, prices, maxInstances = 4, idleMs = 180_000, log } = options;
  checkOptions(functions, maxInstances, idleMs);
  const limits = { ...defaultInstanceLimits, ...options.limits };
  const instances = new Instances({ functions, maxInstances, idleMs, limits, log });
  const meter = new Meter(prices, functions);
  const configs = new Map(functions.map((config) => [config.name, config]));
  const secrets = new Map(Object.entries(accessKeys));
  let closing = false;

  const app = new Hono();
  app.post("/2023-03-30/functions/:name/invocations", async (c) => {
    const requestId = newRequestId(Date.now());
    if (closing) return refusal(requestId, "ServiceUnavailable", "the function host is closing");
    const body = await readBounded(c.req.raw, MAX_BODY_BYTES);
    if (body === undefined) {
      return refusal(requestId, "EntityTooLarge", `a call's body may have ${MAX_BODY_BYTES} bytes`);
    }
    const { pathname, searchParams } = new URL(c.req.url);
    const verdict = verifyAcs3({
      method: c.req.method,
      path: pathname,
      query: searchParams,
      headers: c.req.header(),
      body,
      nowMs: Date.now(),
      secretFor: (accessKeyId) => secrets.get(accessKeyId),
    });
    if (!verdict.ok) return refusal(requestId, verdict.code, verdict.message);
    const type = c.req.header("x-fc-invocation-type") ?? "Sync";
    if (type !== "Sync") {
      return refusal(
        requestId,
        "InvalidArgument",
        `invocation type ${type} is not offered here yet; use Sync`,
      );
    }
    const config = configs.get(c.req.param("name"));
    if (config === undefined) {
      return refusal(requestId, "FunctionNotFound", `function ${c.req.param("name")} does not exist`);
    }

    const call = await instances.call(config.name, requestId, body);
    if (!call.ran) {
      if (fcErrorStatus[call.code] === 412) meter.failedToStart(config.name);
      return refusal(requestId, call.code, call.message);
    }
    if (call.initializeMs > 0) meter.initialized(config.name, call.initializeMs);
    const answer = answerOf({ requestId, config, call, wantsLog: c.req.header("x-fc-log-type") === "Tail" });
    const { coldStartMs, invoke } = call;
    meter.called(config.name, { durationMs: invoke.durationMs, coldStartMs, failed: answer.failed });
    return answer.response;
  });
  app.get("/admin/bill", (c) => c.json(meter.bill()));
  app.get("/admin/instances", (c) => c.json(instances.list()));
  app.notFound((c) =>
    refusal(newRequestId(Date.now()), "PathNotSupported", `no ${c.req.method} ${c.req.path} here`),
  );
  app.onError((error) => {
    const requestId = newRequestId(Date.now());
    log.error({ err: error, requestId }, "the function host failed");
    return refusal(requestId, "InternalServerError", "the function host failed; its log says why");
  });

  return {
    app,
    bill: () => meter.bill(),
    close: () => {
      closing = true;
      return instances.close();
    },
  };
}

function refusal(requestId: string, code: FcErrorCode, message: string): Response {
  return Response.json(
    { RequestId: requestId, Code: code, Message: message },
    { status: fcErrorStatus[code], headers: { "x-fc-request-id": requestId } },
  );
}

function checkOptions(functions: readonly FunctionConfig[], maxInstances: number, idleMs: number): void {
  if (!(Number.isInteger(maxInstances) && maxInstances >= 1)) {
    throw new RangeError(`maxInstances is ${maxInstances}; allowed: an integer of at least 1`);
  }
  checkMs("idleMs", idleMs);
  const names = new Set<string>();
  for (const { name, command, vcpu, memoryMib, timeoutMs } of functions) {
    if (!FUNCTION_NAME.test(name))
      throw new RangeError(`function name "${name}" does not match ${FUNCTION_NAME}`);
    if (names.has(name)) throw new RangeError(`function name "${name}" is used twice`);
    names.add(name);
    if (!command[0]) throw new RangeError(`function ${name} has no command`);
    if (!(vcpu > 0 && memoryMib > 0)) {
      throw new RangeError(
        `function ${name} has ${vcpu} vCPU and ${memoryMib} MiB; allowed: more than 0 of both`,
      );
    }
    checkMs(`timeoutMs of function ${name}`, timeoutMs);
  }
}

/** Node's timers take at most 2^31 - 1 ms and fire at once beyond it. */
function checkMs(name: string, ms: number): void {
  if (!(ms >= 1 && ms < 2 ** 31)) throw new RangeError(`${name} is ${ms}; allowed: 1 to ${2 ** 31 - 1}`);
}
