/**
 * Measures the virtual queue itself: requests a second under the virtual clock, with targets that do nothing. Each
 * request has its own deadline and its own callback, under a fixed plan of 20 rows to the edge and 2 to the functions
 * in turn.
 */
import { fixedPolicy } from "../client/policies/fixed.ts";
import type { Target, TargetKind } from "../client/targets/target.ts";
import { VirtualQueue } from "../client/queue/virtual-queue.ts";
import { VirtualClock } from "../replay/world/virtual-clock.ts";

const requestsPerRun = 2_000_000;
const runs = 5;
/** 10,000 requests a second of virtual time. */
const gapMs = 0.1;

function noOpTarget(name: TargetKind, clock: VirtualClock): Target<number, number> {
  return {
    name,
    kind: name,
    maxInFlight: 1_000,
    assumedLatencyMs: 10,
    send: ({ parts }, done) => {
      clock.schedule(clock.nowMs() + 10, () => {
        done({
          ok: true,
          answers: parts.map(({ payload }) => payload),
          serviceMs: 5,
          coldStartMs: 0,
          cost: 0,
        });
      });
    },
  };
}

function requestsPerSecond(): number {
  const clock = new VirtualClock();
  const queue = new VirtualQueue<number, number>({
    clock,
    policy: fixedPolicy({ batchRows: [20, 2], timeoutMs: 400 }),
    targets: [noOpTarget("edge", clock), noOpTarget("serverless", clock)],
    sloMs: 1_000,
  });
  let answered = 0;
  const startedAtMs = performance.now();
  for (let id = 0; id < requestsPerRun; id++) {
    clock.advanceTo(id * gapMs);
    queue.submit({ payload: id, sloMs: 1_000 + (id % 7) }, (end) => {
      if (end.outcome === "served" && end.answer === id) answered++;
    });
  }
  clock.runAll();
  const seconds = (performance.now() - startedAtMs) / 1_000;
  if (answered !== requestsPerRun) {
    throw new Error(`${requestsPerRun - answered} of ${requestsPerRun} requests were not answered`);
  }
  return requestsPerRun / seconds;
}

const rates = Array.from({ length: runs }, requestsPerSecond).sort((a, b) => a - b);
const [slowest, median, fastest] = [rates[0], rates[runs >> 1], rates[runs - 1]] as number[];
const millions = (rate: number | undefined): string => `${((rate as number) / 1e6).toFixed(2)} M`;
console.log(
  `virtual queue: ${millions(median)} requests/s (median of ${runs} runs of ${requestsPerRun / 1e6} M;` +
    ` ${millions(slowest)} to ${millions(fastest)}), Node ${process.versions.node}`,
);
