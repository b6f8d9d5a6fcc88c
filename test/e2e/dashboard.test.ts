/** The dashboards in a browser: what they show under load, how they take what goes wrong, and whether all can read them. */
import { mkdtempSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { identityModel, putModel } from "../contract/conformance-models.ts";
import { startProgram } from "../contract/running-program.ts";
import { noBrowser, openBrowser } from "../support/chromium.ts";
import { type DashboardRig, dashboardRig, type RigOptions } from "../support/dashboard-rig.ts";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const wide = { width: 1_280, height: 900 };
const phone = { width: 390, height: 844 };
const token = "0123456789abcdef0123";

if (noBrowser !== undefined) console.warn(`tests of the dashboard are skipped: ${noBrowser}`);

/** A browser on a busy machine loses a click or a frame now and then, so that a test has a second chance. */
const options = { tags: ["slow"], timeout: 90_000, retry: 1 };

describe.skipIf(noBrowser !== undefined)("the dashboard", options, () => {
  let browser: Browser;
  const closers: (() => Promise<unknown>)[] = [];
  const faults: string[] = [];

  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterEach(async () => {
    for (const close of closers.splice(0).toReversed()) await close();
    expect(faults.splice(0)).toEqual([]);
  });
  afterAll(async () => {
    await browser?.close();
  });

  async function started(options: RigOptions = {}, perS = 0): Promise<DashboardRig> {
    const rig = await dashboardRig({ everyMs: 250, ...options });
    const stop = new AbortController();
    closers.push(() => rig.close());
    const load = rig.load(perS, stop.signal);
    closers.push(() => {
      stop.abort();
      return load;
    });
    return rig;
  }

  /** A page whose errors, and violations of its policy, fail the test; `mayFail`: what is expected in its console. */
  async function opened(url: string, options: object = {}, mayFail?: RegExp): Promise<Page> {
    const page = await browser.newPage({ viewport: wide, ...options });
    closers.push(() => page.close());
    page.on("pageerror", (error) => faults.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error" && mayFail?.test(message.text()) !== true) faults.push(message.text());
    });
    await page.goto(url);
    return page;
  }

  const text = (page: Page, selector: string): Promise<string> => page.innerText(selector);
  const rows = (page: Page, id: string): Promise<number> => page.locator(`#${id}-table > tbody > tr`).count();

  /** By how many pixels the page is wider than the window. */
  const sideways = (page: Page): Promise<number> =>
    page.evaluate("document.documentElement.scrollWidth - innerWidth");

  /** Serious faults that axe finds, in words. */
  async function seriousFaults(page: Page): Promise<string[]> {
    await page.evaluate(axe);
    return page.evaluate(async () => {
      const { axe: checker } = globalThis as unknown as {
        axe: { run(): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }> };
      };
      const { violations } = await checker.run();
      return violations
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(" | ")}`);
    });
  }

  it("has something in every panel under load, and no fault for axe in light, dark and on a phone", async () => {
    const rig = await started({ lanes: { bulk: 5_000 }, spendLimit: 1 }, 60);
    for (const [colorScheme, viewport] of [
      ["light", wide],
      ["dark", wide],
      ["light", phone],
    ] as const) {
      const page = await opened(rig.url, { colorScheme, viewport });
      await expect
        .poll(() => text(page, "#headline-text"))
        .toMatch(/requests.* in time|not answered in time/);
      for (const id of ["arrivals", "latency", "queue", "where", "money"]) {
        await expect.poll(() => page.locator(`#${id}-plot canvas`).count(), { message: id }).toBe(1);
        await page.locator(`section:has(#${id}-table) summary`).click();
        await expect.poll(() => rows(page, id), { message: id }).toBeGreaterThan(0);
      }
      for (const id of ["batches", "changes", "targets", "decisions", "models"])
        await expect.poll(() => rows(page, id), { message: id }).toBeGreaterThan(0);
      expect(await text(page, "#tiles")).toMatch(/Arrivals\s*[\d.,]+ \/s[^]*CNY/);
      expect(await text(page, "#where-legend")).toContain("edge-1");
      expect(await text(page, "#targets-table")).toMatch(/edge-1[^]*well[^]*small/);
      // Rows move fast, so that a click by place may be on two of them.
      const detail = async (): Promise<string> => {
        if ((await page.locator(".detail").count()) > 0) return text(page, ".detail");
        await page.locator(".opener").first().dispatchEvent("click");
        return "";
      };
      await expect.poll(detail).toMatch(/What the policy saw of the targets/);
      expect(await sideways(page)).toBeLessThanOrEqual(0);
      expect(await seriousFaults(page)).toEqual([]);
      await page.close();
    }
  });

  it("shows names of callers as text, however they are written", async () => {
    const names = ["<img src=x onerror=alert(1)>", "文字识别", "long-".repeat(60), "a\u202eb"];
    const rig = await started({ models: names, edges: ['"><script>alert(2)</script>'] }, 60);
    const page = await opened(rig.url, { viewport: phone });
    await expect.poll(() => text(page, "#models-table")).toContain("<img src=x onerror=alert(1)>");
    await expect.poll(() => text(page, "#models-table")).toContain("文字识别");
    await expect.poll(() => text(page, "#targets-table")).toContain('"><script>alert(2)</script>');
    expect(await page.locator("main img, main script").count()).toBe(0);
    expect(await sideways(page)).toBeLessThanOrEqual(0);
  });

  it("says what is not there yet: no requests, no functions, no plans", async () => {
    const rig = await started({ functions: [] });
    const page = await opened(rig.url);
    await expect.poll(() => text(page, "#headline-text")).toBe("No requests yet; edge-1 is ready.");
    expect(await text(page, "#money-empty")).toContain("no functions");
    for (const id of ["arrivals", "latency", "where", "batches", "changes", "decisions", "models"])
      expect([id, (await text(page, `#${id}-empty`)).length > 10]).toEqual([id, true]);
    expect(await seriousFaults(page)).toEqual([]);
  });

  it("tells of 20 edges and 50 models, the smaller ones together", async () => {
    const edges = Array.from({ length: 20 }, (_, index) => `edge-${index + 1}`);
    const models = Array.from({ length: 50 }, (_, index) => `model-${index + 1}`);
    const rig = await started({ edges, models, rowMs: 200, everyMs: 300 }, 45);
    const page = await opened(rig.url);
    await expect.poll(() => rows(page, "targets")).toBe(22);
    await expect.poll(() => rows(page, "models")).toBe(50);
    // On a busy machine some are late, and it says so first.
    await expect.poll(() => text(page, "#headline-text")).toMatch(/edges answer|not answered in time/);
    await expect.poll(() => text(page, "#where-legend")).toMatch(/others/);
    expect(await page.locator("#where-legend li").count()).toBe(6);
  });

  it("says that an edge is away, and tells a screen reader once", async () => {
    const rig = await started({}, 40);
    const page = await opened(rig.url);
    await expect.poll(() => text(page, "#headline-text")).toMatch(/edge-1 answers/);
    rig.down.add("edge-1");
    await expect
      .poll(() => text(page, "#headline-text"))
      .toMatch(
        /^edge-1 is away since \d\d:\d\d:\d\d \(\d+ seconds\); functions answer instead \(.* CNY an hour/,
      );
    expect(await text(page, "#headline-actions")).toContain("curl http://10.0.0.1:8000/v2/health/ready");
    expect(await page.title()).toMatch(/^[!✕] Spillway queue/);
    expect(await page.getAttribute("#announcement", "role")).toBe("status");
    expect(await page.locator("[aria-live], [role=status], [role=alert]").count()).toBe(3);
  });

  it("asks for the token, refuses a wrong one, and lets the right one in until it is logged out", async () => {
    const rig = await started({ access: { token: { text: token, endsTrust: true } } }, 20);
    // The stream of updates ends with the session.
    const page = await opened(rig.url, {}, /401|ERR_INCOMPLETE_CHUNKED_ENCODING/);
    await page.fill("#token", "wrong");
    await page.keyboard.press("Enter");
    await expect.poll(() => text(page, "#login-error")).toBe("this is not the admin token");
    expect(await seriousFaults(page)).toEqual([]);
    await page.fill("#token", token);
    await page.keyboard.press("Enter");
    await expect.poll(() => page.isVisible("#tiles div")).toBe(true);
    const cookies = await page.context().cookies();
    expect(cookies).toMatchObject([{ httpOnly: true, sameSite: "Strict", path: "/dashboard" }]);
    expect(await page.evaluate("document.cookie")).toBe("");
    await page.click("#logout");
    await expect.poll(() => page.isVisible("#login")).toBe(true);
    expect(await page.isVisible("main")).toBe(false);
  });

  it("goes on by itself when the daemon comes back, and says that it was restarted", async () => {
    const first = await dashboardRig({ everyMs: 100 });
    const port = Number(new URL(first.url).port);
    const page = await opened(first.url, {}, /ERR_|Failed to load/);
    await expect.poll(() => text(page, "#connection")).toMatch(/^Live/);
    await first.close();
    await expect.poll(() => text(page, "#notice")).toMatch(/does not answer since/);
    await started({ port }, 20);
    await expect.poll(() => text(page, "#notice")).toMatch(/was restarted at \d\d:\d\d:\d\d/);
    await expect.poll(() => text(page, "#connection")).toMatch(/^Live/);
  });

  it("is served by both programs as they are started, and restarts a model of the edge at the second press", async () => {
    const models = mkdtempSync(join(tmpdir(), "spillway-dashboard-"));
    putModel(models, "id", "1", identityModel(["FP32"], [2]));
    const edge = await startProgram("edge", ["--models", models, "--state", models]);
    closers.push(() => edge.stop());
    const flags = ["--edge", edge.url, "--state", models, "--no-serverless", "--calibrate", "0"];
    const queue = await startProgram("vqueue", flags);
    closers.push(() => queue.stop());
    const body = JSON.stringify({
      inputs: [{ name: "IN_FP32", datatype: "FP32", shape: [1, 2], data: [1, 2] }],
    });
    expect((await fetch(`${queue.url}/v2/models/id/infer`, { method: "POST", body })).status).toBe(200);
    const ofQueue = await opened(`${queue.url}/dashboard`);
    await expect
      .poll(() => text(ofQueue, "#headline-text"))
      .toMatch(/^All requests in time .*; edge answers 100 %\.$/);
    await expect.poll(() => text(ofQueue, "#money-empty")).toContain("no functions");
    const page = await opened(`${edge.url}/dashboard`, { viewport: phone });
    await expect.poll(() => text(page, "#headline-text")).toMatch(/^1 model ready;/);
    expect(await text(page, "#tiles")).toMatch(/Memory of models\s*[\d.]+ MiB/);
    await expect.poll(() => rows(page, "replicas")).toBe(1);
    const process = await text(page, "#events-table");
    const button = page.locator("#models-table button");
    await button.click();
    expect(await button.innerText()).toBe("Really?");
    await button.click();
    await expect.poll(() => text(page, "#done")).toBe("id was restarted.");
    await expect.poll(() => text(page, "#events-table")).not.toBe(process);
    expect(await seriousFaults(page)).toEqual([]);
    // A button of another site does nothing.
    const restart = { method: "POST", body: '{"model":"id"}', headers: { origin: "https://evil.example" } };
    expect((await fetch(`${edge.url}/dashboard/restart`, restart)).status).toBe(403);
    expect(
      (await fetch(`${edge.url}/dashboard/restart`, { method: "POST", body: restart.body })).status,
    ).toBe(403);
  });

  it("keeps what it hears while nobody sees it, and is used by keyboard", async () => {
    const rig = await started({}, 60);
    const page = await opened(rig.url);
    await expect.poll(() => rows(page, "decisions")).toBeGreaterThan(5);
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    expect(await page.evaluate("document.activeElement.id")).toBe("main");
    await page.focus("input[value=fine]");
    await page.keyboard.press("ArrowRight");
    expect(await page.isChecked("input[value=coarse]")).toBe(true);
    await page.focus("#hold");
    await page.keyboard.press("Space");
    const held = await page.getAttribute(".opener >> nth=0", "aria-label");
    await page.focus(".opener");
    await page.keyboard.press("Enter");
    await expect.poll(() => text(page, ".detail")).toMatch(/The edge had a place/);
    expect(await page.getAttribute(".opener", "aria-expanded")).toBe("true");
    expect(await page.getAttribute(".opener >> nth=0", "aria-label")).toBe(held?.replace("Open", "Close"));
  });
});
