/** Runs one load: sends bodies at their moments to a server, and counts each end once. */
import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import { LoadFigures } from "./load-figures.ts";
import type { BodyCycle, V2Caller } from "./v2-caller.ts";

/** A request that is due. */
export interface Due {
  /** Seconds from the loop's start. */
  readonly atS: number;
  readonly rows: number;
}

interface ClosedLoop {
  /** Callers at once. */
  readonly concurrency: number;
  /** Most requests in all. */
  readonly requests: number;
  /** How long new requests are sent. */
  readonly durationMs: number;
}

/** An open loop follows a schedule; a closed loop has callers that wait for their answers. */
export type OfferedLoad =
  | { readonly kind: "open"; readonly schedule: AsyncIterable<readonly Due[]> | Iterable<readonly Due[]> }
  | ({ readonly kind: "closed" } & ClosedLoop);

export interface GenerateOptions {
  readonly load: OfferedLoad;
  readonly caller: V2Caller;
  readonly bodies: BodyCycle;
  /** Ends the sending early; requests that were sent are still waited for. */
  readonly stop: AbortSignal;
  /** Called after each request that has ended. */
  readonly onEnd: (figures: LoadFigures) => void;
}

/** With this many under way, a due request is not sent and counts as failed: memory is bounded. */
const mostUnderWay = 20_000;
/** After this many sends without a pause, answers get their turn. */
const sendsPerTurn = 16;

export async function generate(options: GenerateOptions): Promise<LoadFigures> {
  const { load, caller, bodies, stop, onEnd } = options;
  const figures = new LoadFigures(performance.now());
  const send = async (rows: number, dueAtMs: number): Promise<void> => {
    const atMs = performance.now();
    if (figures.underWay >= mostUnderWay) figures.leaveOut("not sent: too many under way", atMs);
    else {
      figures.sent(dueAtMs, atMs);
      const reply = await caller.send(bodies.next(rows));
      if (reply.kind === "answered") figures.answer(dueAtMs, performance.now());
      else figures.fail(reply.reason, performance.now());
    }
    onEnd(figures);
  };
  if (load.kind === "open") await openLoop(load.schedule, ({ rows }, dueAtMs) => send(rows, dueAtMs), stop);
  else await closedLoop(load, (dueAtMs) => send(1, dueAtMs), stop);
  return figures;
}

/**
 * The open loop: requests leave at their scheduled moments, answered or not, as from callers that know nothing of each
 * other. A slow server cannot slow it down. Resolves when everything that was sent has ended.
 *
 * @param schedule blocks of what is due, in order of time
 * @param send one request that was due at `dueAtMs` of the monotonic clock; never rejects
 * @param stop ends the sending early; requests that were sent are still waited for
 */
export async function openLoop<D extends Due>(
  schedule: AsyncIterable<readonly D[]> | Iterable<readonly D[]>,
  send: (due: D, dueAtMs: number) => Promise<void>,
  stop: AbortSignal,
): Promise<void> {
  const startedAtMs = performance.now();
  const underWay = new Set<Promise<void>>();
  let sends = 0;
  for await (const block of schedule) {
    for (const due of block) {
      const dueAtMs = startedAtMs + due.atS * 1_000;
      const waitMs = dueAtMs - performance.now();
      if (waitMs > 0) await delay(waitMs, undefined, { signal: stop }).catch(() => {});
      else if (sends % sendsPerTurn === 0) await nextTurn();
      if (stop.aborted) break;
      sends++;
      const sending = send(due, dueAtMs).then(() => void underWay.delete(sending));
      underWay.add(sending);
    }
    if (stop.aborted) break;
  }
  await Promise.all(underWay);
}

/**
 * The closed loop: callers, each of which sends again as soon as it is answered.
 *
 * @param send one request that is due now, `dueAtMs` of the monotonic clock; never rejects
 * @param stop ends the sending early; requests that were sent are still waited for
 */
export async function closedLoop(
  { concurrency, requests, durationMs }: ClosedLoop,
  send: (dueAtMs: number) => Promise<void>,
  stop: AbortSignal,
): Promise<void> {
  const untilMs = performance.now() + durationMs;
  let left = requests;
  const caller = async (): Promise<void> => {
    for (let nowMs = performance.now(); nowMs < untilMs; nowMs = performance.now()) {
      if (left === 0 || stop.aborted) return;
      left--;
      await send(nowMs);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, caller));
}
