import { setTimeout as delay } from "node:timers/promises";
import { Registry } from "./metric-registry.ts";
import { expect, it } from "vitest";
import { addLoopDelay } from "./loop-delay.ts";

it("tells how long the event loop was held up since the last scrape", async () => {
  const registry = new Registry();
  addLoopDelay(registry, "delay_seconds");
  const scrape = async (of: string): Promise<number> =>
    Number(new RegExp(`^delay_seconds{of="${of}"} (\\S+)$`, "m").exec(await registry.metrics())?.[1]);
  expect(await scrape("mean")).toBe(0);
  await delay(30);
  const untilMs = performance.now() + 200;
  while (performance.now() < untilMs);
  await delay(30);
  const text = await registry.metrics();
  expect(Number(/of="max"} (\S+)/.exec(text)?.[1])).toBeGreaterThan(0.1);
  expect(Number(/of="mean"} (\S+)/.exec(text)?.[1])).toBeGreaterThan(0);
});
