/** What `npm run results` is made of, on a small world. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ablationNames } from "../../bench/results/ablations.ts";
import { KeptResults } from "../../bench/results/kept-results.ts";
import { moduleDigest } from "../../bench/results/module-digest.ts";
import { type OwnReplay, runOwn } from "../../bench/results/own-run.ts";
import { serverless, smallReplay } from "../support/small-replay.ts";

describe("a replay of spillway for the results", { tags: ["slow"] }, () => {
  const sheet = new URL("../../serverless/prices/aws-lambda-us-east-1-x86.json", import.meta.url);
  const functions = { ...serverless, prices: fileURLToPath(sheet) };
  const edgeStalls = { kind: "edge-slow", fromMs: 1_500, toMs: 2_500, factor: 30 };
  const isRarelyWarm = smallReplay({
    serverless: { ...functions, link: { rttMs: 2, uplinkMbps: 8 }, coldStartMs: [300] },
    sloMs: 400,
    faults: [edgeStalls],
  });
  const isHasty = smallReplay({
    serverless: { ...functions, coldStartMs: [400] },
    sloMs: 150,
    faults: [{ ...edgeStalls, factor: 4 }],
  });
  const worlds = [isRarelyWarm, isHasty];
  afterAll(() => worlds.forEach(({ folder }) => rmSync(folder, { recursive: true })));
  const pairings = worlds.map(({ files: [, trace = "", , scenario = ""] }) => {
    return { name: "small", trace, scenario, scale: 4, fromS: 0, toS: 5 };
  });
  let whole: OwnReplay[];
  beforeAll(async () => {
    whole = await Promise.all(pairings.map((pairing) => runOwn({ pairing, seed: 1, hasLimits: true })));
  });

  it("counts what is lost in the worst minute", () => {
    const { summary, worstMinute } = whole[0]!;
    // All arrive within one minute, and of those that end earlier some are worse.
    expect(worstMinute).toBeLessThanOrEqual(summary.inSloShare ?? 0);
    expect(worstMinute).toBeGreaterThan(0.2);
  });

  it("has both limits, the careful one not below the other", () => {
    const { median, reserved } = whole[0]!.limits!;
    expect(median.cost).toBeGreaterThan(0);
    expect(reserved.cost!).toBeGreaterThanOrEqual(median.cost!);
  });

  it.each(ablationNames)("is another one without %s, in one of two worlds", async (without) => {
    const ablated = await Promise.all(pairings.map((pairing) => runOwn({ pairing, seed: 1, without })));
    const requests = (all: OwnReplay[]) => all.map(({ summary }) => summary.requests);
    expect(requests(ablated)).toEqual(requests(whole));
    expect(ablated.map(({ summary }) => summary)).not.toEqual(whole.map(({ summary }) => summary));
  });
});

describe("what is kept of results", () => {
  const folder = mkdtempSync(join(tmpdir(), "spillway-kept-"));
  const url = pathToFileURL(`${folder}/`);
  afterAll(() => rmSync(folder, { recursive: true }));

  it("is made once, and again when what it depends on is another thing", async () => {
    const kept = new KeptResults(new URL("results/", url));
    const made: string[] = [];
    const ask = (dependsOn: readonly unknown[], name: string) =>
      kept.of(dependsOn, async () => (made.push(name), name));
    expect(await ask(["a", 1], "first")).toBe("first");
    expect(await ask(["a", 1], "second")).toBe("first");
    expect(await ask(["a", 2], "third")).toBe("third");
    expect(made).toEqual(["first", "third"]);
  });

  it("depends on all modules that are imported, but for those that are left out", () => {
    const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
    write("entry.js", 'import { a } from "./a.js";\nexport const load = () => import("./b.js");\n');
    write("a.js", 'import "./own.js";\n');
    write("b.js", "export {};\n");
    write("own.js", 'export * from "./inner.js";\n');
    write("inner.js", "export const c = 1;\n");
    const digests = () => [moduleDigest(url, "entry.js"), moduleDigest(url, "entry.js", "own.js")];
    const before = digests();
    write("inner.js", "export const c = 2;\n");
    const changedInside = digests();
    expect(changedInside[0]).not.toBe(before[0]);
    expect(changedInside[1]).toBe(before[1]);
    write("b.js", "export const d = 1;\n");
    expect(digests()[1]).not.toBe(before[1]);
  });
});
