/** How long the event loop of this process is held up, as a metric: every request waits for it. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Gauge, type Registry } from "./metric-registry.ts";

const nsPerS = 1e9;
/** How often the delay is sampled, in milliseconds; a sample says how much later than this it came. */
const resolutionMs = 10;

/** Adds a gauge with the mean, the 99th percentile and the maximum since the last scrape, in seconds. */
export function addLoopDelay(registry: Registry, name: string): void {
  const delays = monitorEventLoopDelay({ resolution: resolutionMs });
  delays.enable();
  const seconds = (ns: number): number =>
    Number.isFinite(ns) ? Math.max(0, ns / nsPerS - resolutionMs / 1_000) : 0;
  const gauge: Gauge<"of"> = new Gauge({
    name,
    help: "How long the event loop was held up since the last scrape: its mean, p99 and max",
    labelNames: ["of"],
    registers: [registry],
    collect: () => {
      // Before the first sample the maximum is 0 and the mean no number.
      gauge.set({ of: "mean" }, seconds(delays.mean));
      gauge.set({ of: "p99" }, seconds(delays.percentile(99)));
      gauge.set({ of: "max" }, seconds(delays.max));
      delays.reset();
    },
  });
}
