// @module-tag slow
/** What every policy must keep to in replay, and what an independent checker says of their logs. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import type { PriceSheet } from "../serverless/prices/price.ts";
import { replayPolicies, replayPolicyNames } from "./peers/registry.ts";
import { type Line, replay, traceOf } from "../test/support/replayed.ts";
import { tinyWorld } from "../test/support/tiny-world.ts";
import { createLogFile, textFile } from "./files.ts";
import { exponential, randomStream } from "./traces/random-stream.ts";
import { replayTrace } from "./run.ts";
import { parseScenario } from "./world/scenario.ts";
import type { ReplaySummary } from "./summary.ts";
import type { TextFile } from "../base/text-lines.ts";

/** Arrivals in bursts: 5 a second, and 100 a second in every fourth second. */
function burstyTrace(seconds: number): TextFile {
  const random = randomStream(1, "bursts");
  const momentsS: number[] = [];
  for (let atS = 0; atS < seconds;) {
    atS += exponential(random) / (Math.floor(atS) % 4 === 3 ? 100 : 5);
    momentsS.push(atS);
  }
  return traceOf(momentsS);
}

describe.each(replayPolicyNames)("the policy %s in replay", (name) => {
  const trace = burstyTrace(60);
  const policy = replayPolicies[name];
  const faults = [
    { kind: "edge-down", fromMs: 15_000, toMs: 17_000 },
    { kind: "throttle", fromMs: 25_000, toMs: 26_000 },
    { kind: "link-slow", target: "edge", fromMs: 40_000, toMs: 42_000, factor: 5 },
  ];
  const scenario = tinyWorld({ faults });

  it("gives the same log twice, and another for another seed", async () => {
    const one = await replay({ trace, policy, scenario, scale: 1.5 });
    const two = await replay({ trace, policy, scenario, scale: 1.5 });
    const other = await replay({ trace, policy, scenario, scale: 1.5, seed: 2 });
    expect(one.text).toBe(two.text);
    expect(one.text).not.toBe(other.text);
  });

  it("decides the same when the trace ends earlier: it does not look ahead", async () => {
    const untilMs = 30_000;
    const before = (lines: readonly Line[]): Line[] =>
      lines.filter(
        ({ kind, atMs, formedAtMs }) => kind !== "header" && ((atMs ?? formedAtMs) as number) < untilMs,
      );
    const whole = await replay({ trace, policy, scenario, scale: 1.5 });
    const part = await replay({ trace, policy, scenario, scale: 1.5, toS: untilMs / 1_000 });
    expect(before(part.lines)).toEqual(before(whole.lines));
    expect(before(part.lines).length).toBeGreaterThan(500);
  });

  it("ends every request exactly once", async () => {
    const { lines, summary } = await replay({ trace, policy, scenario });
    const { requests, served, refused, failed } = summary;
    expect(lines.filter(({ kind }) => kind === "arrival")).toHaveLength(requests);
    expect(served + refused + failed).toBe(requests);
  });
});

it("every policy replays a world with two edges, and names the edge of each batch", async () => {
  const [near, far] = ["near", "far"].map((name, index) => {
    const serviceMs = { "1": [10 + 20 * index], "8": [30 + 60 * index] };
    return { name, replicas: 1, maxBatch: 8, link: { rttMs: 1, uplinkMbps: 8 }, serviceMs };
  });
  const scenario = tinyWorld({ edge: undefined, edges: [near, far] });
  const trace = burstyTrace(30);
  for (const name of replayPolicyNames) {
    const { lines, summary } = await replay({ trace, policy: replayPolicies[name], scenario, scale: 2 });
    expect(summary.served + summary.refused + summary.failed, name).toBe(summary.requests);
    expect(Object.keys(summary.targets)).toEqual(["near", "far", "f"]);
    const places = lines.flatMap(({ kind, target, edge, size }) =>
      kind === "batch" ? [{ target, edge, size }] : [],
    );
    expect(places.length).toBeGreaterThan(0);
    for (const { target, edge, size } of places) {
      expect(target === "edge" ? ["near", "far"] : ["f"], name).toContain(target === "edge" ? edge : size);
    }
    if (name === "spillway")
      for (const each of ["near", "far"]) expect(places.map(({ edge }) => edge)).toContain(each);
  }
});

const shared = fileURLToPath(new URL("../../shared/", import.meta.url));
interface Pairing {
  readonly name: string;
  readonly trace: string;
  readonly scenario: string;
  readonly scale: number;
  readonly fromS: number;
}

describe.skipIf(!existsSync(shared))("the referee (skipped where ../shared is absent)", () => {
  const scratch = mkdtempSync(join(tmpdir(), "spillway-referee-"));
  afterAll(() => rmSync(scratch, { recursive: true }));
  const pairings = ["data/pairings.json", "data/pairings-2.json"].flatMap((file) =>
    existsSync(shared) ? (JSON.parse(readFileSync(join(shared, file), "utf8")) as Pairing[]) : [],
  );
  // Every policy on a short cut, and those that the daemon runs on a long one of another pairing as well.
  const ofAll = replayPolicyNames.map((name) => [name, "mm-image-faults", 60] as const);
  const ofDaemon = (["spillway", "fixed"] as const).map((name) => [name, "conv-critical", 120] as const);
  const ofTwoEdges = [
    ...(["spillway", "fixed", "edge-only"] as const).map((name) => [name, "two-edges", 20] as const),
    // An edge goes down after 300 s.
    ["spillway", "two-edges-fault", 330] as const,
  ];

  it.each([...ofAll, ...ofDaemon, ...ofTwoEdges])(
    "finds nothing against %s on a cut of %s",
    async (name, pairing, forS) => {
      const { trace, scenario, scale, fromS } = pairings.find((each) => each.name === pairing) as Pairing;
      const paths = { trace: join(shared, "data", trace), scenario: join(shared, "data", scenario) };
      const toS = fromS + forS;
      const world = parseScenario(readFileSync(paths.scenario, "utf8"), paths.scenario);
      const prices = new URL(`../serverless/prices/${world.serverless.prices}.json`, import.meta.url);
      const path = join(scratch, `${pairing}-${name}.ndjson.gz`);
      const log = createLogFile(path);
      const summary: ReplaySummary = await replayTrace({
        trace: textFile(paths.trace),
        scenario: world,
        sheet: JSON.parse(readFileSync(prices, "utf8")) as PriceSheet,
        policy: replayPolicies[name],
        seed: 3,
        fromS,
        toS,
        scale,
        log,
      });
      await log.close();
      expect(gunzipSync(readFileSync(path)).length).toBeGreaterThan(20_000);
      const cut = ["--from", fromS, "--to", toS, "--scale", scale].map(String);
      const files = ["--trace", paths.trace, "--scenario", paths.scenario];
      const checker = [join(shared, "referee/check.mjs"), path, ...files, ...cut];
      const verdict = JSON.parse(
        execFileSync(process.execPath, checker, { encoding: "utf8" }),
      ) as ReplaySummary;
      expect(verdict).toMatchObject({ ok: true, inSlo: summary.inSlo, requests: summary.requests });
    },
  );
});
