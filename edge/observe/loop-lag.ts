/** How late this process is on a busy machine: what a deadline loses before a request is read and after it is answered. */
import { monitorEventLoopDelay } from "node:perf_hooks";

/** How often the delay is sampled, and how long a measurement lasts, in milliseconds. */
const [resolutionMs, measuredForMs] = [10, 1_000];
/** A machine that was stopped for long says nothing of the next second. */
const mostLagMs = 500;
const nsPerMs = 1e6;

const delays = monitorEventLoopDelay({ resolution: resolutionMs });
let [measuredAtMs, lagMs] = [-Infinity, 0];

/** Now, plus how late this process is: by it deadlines are judged, since they are those of callers. */
export function answerableMs(): number {
  const nowMs = performance.now();
  return nowMs + loopLagMs(nowMs);
}

/** The time between two turns of the event loop as a request at a random moment meets it, in the last second or so. */
function loopLagMs(nowMs: number): number {
  if (measuredAtMs === -Infinity) delays.enable();
  if (nowMs - measuredAtMs < measuredForMs) return lagMs;
  const { mean, stddev } = delays;
  // A random moment falls into a long turn the sooner, the longer it is: E(d²) / E(d).
  const metMs = mean > 0 ? (stddev ** 2 + mean ** 2) / mean / nsPerMs : 0;
  lagMs = Math.min(mostLagMs, Math.max(0, metMs - resolutionMs));
  measuredAtMs = nowMs;
  delays.reset();
  return lagMs;
}
