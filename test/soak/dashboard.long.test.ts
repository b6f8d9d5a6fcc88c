/**
 * A page of the dashboard that is open for long does not grow: as many updates as in ten minutes at ten a second, sped up.
 * SPILLWAY_SOAK_S: seconds of it (default 90).
 */
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { noBrowser, openBrowser } from "../support/chromium.ts";
import { dashboardRig } from "../support/dashboard-rig.ts";

const seconds = Number(process.env["SPILLWAY_SOAK_S"] ?? 90);
/** What a page may have more than at the start, in bytes: counts of garbage collection are not exact. */
const spareBytes = 2 * 2 ** 20;

if (noBrowser !== undefined) console.warn(`the soak of the dashboard is skipped: ${noBrowser}`);

describe.skipIf(noBrowser !== undefined)("a page of the dashboard", () => {
  it(
    "holds no more after thousands of updates, and neither do its tables",
    { timeout: 600_000 },
    async () => {
      const rig = await dashboardRig({ everyMs: 15, lanes: { bulk: 5_000 } });
      const stop = new AbortController();
      const load = rig.load(60, stop.signal);
      const browser = await openBrowser();
      const page = await browser.newPage();
      await page.goto(rig.url);
      for (const summary of await page.locator("summary").all()) await summary.click();
      const protocol = await page.context().newCDPSession(page);
      const heapBytes = async (): Promise<number> => {
        for (let count = 0; count < 3; count++) await protocol.send("HeapProfiler.collectGarbage");
        return (await protocol.send("Runtime.getHeapUsage")).usedSize;
      };
      const nodes = (): Promise<number> => page.evaluate("document.querySelectorAll('*').length");
      await page.evaluate(
        "globalThis.heard = 0; new EventSource('/dashboard/stream').addEventListener('next', () => globalThis.heard++)",
      );
      // Until the tables are full and the code is compiled.
      await delay(Math.min(20_000, seconds * 250));
      const before = { bytes: await heapBytes(), nodes: await nodes() };
      await delay(seconds * 1_000);
      const after = { bytes: await heapBytes(), nodes: await nodes() };
      const heard: number = await page.evaluate("globalThis.heard");
      stop.abort();
      await load;
      await browser.close();
      await rig.close();
      console.log(
        `${heard} updates; heap ${before.bytes} to ${after.bytes} bytes; ${before.nodes} to ${after.nodes} nodes`,
      );
      expect(heard).toBeGreaterThan(seconds * 10);
      expect(after.bytes - before.bytes).toBeLessThan(spareBytes);
      expect(after.nodes - before.nodes).toBeLessThan(300);
    },
  );
});
