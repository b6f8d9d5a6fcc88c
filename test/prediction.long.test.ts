/**
 * Whether a replay foretells a live run: profile, scenario and replay on one side, edge, queue and load generator on
 * the other, on this machine and one after another.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { exponential, randomStream } from "../replay/random-stream.ts";
import { executable } from "./built.ts";
import { timedServer } from "./timed-server.ts";

/** The replay's p99 may be off by this part of the live one. */
const tolerance = 0.25;
/** Above this load of the machine the service times of the profile are not those of the run. */
const quietLoad = 1;

const closings: (() => void)[] = [];
afterEach(() => {
  for (const close of closings.splice(0)) close();
});

function start(...flags: string[]): ChildProcess {
  const child = spawn(process.execPath, [executable, ...flags], {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  closings.push(() => child.kill("SIGKILL"));
  return child;
}

async function serving(...flags: string[]): Promise<string> {
  const [{ url }] = (await once(start(...flags, "--port", "0", "--log-level", "warn"), "message")) as [
    { url: string },
  ];
  return url;
}

async function output(...flags: string[]): Promise<string> {
  const child = start(...flags);
  let stdout = "";
  child.stdout?.on("data", (text) => (stdout += text));
  const [status] = (await once(child, "close")) as [number];
  expect(status, flags.join(" ")).toBe(0);
  return stdout;
}

interface Load {
  readonly edge: string;
  readonly model: string;
  /** Of the function `small`, as a V2 server. */
  readonly small: string;
  readonly ratePerS: number;
  readonly seconds: number;
  readonly flags?: readonly string[];
}

/** The p99 of the same load, foretold and live, in milliseconds. */
async function bothP99({
  edge,
  model,
  small,
  ratePerS,
  seconds,
  flags = [],
}: Load): Promise<[number, number]> {
  const folder = mkdtempSync(join(tmpdir(), "spillway-prediction-"));
  const [profile, scenario, trace] = ["p.json", "s.json", "t.csv"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const asked = ["--model", model, ...flags];
  const measured = ["--batches", "1,2,4,8,16", "--seconds", "90", "--save", profile];
  const asSmall = ["--function", "small=0.5x1024", "--quantile", "0.9"];
  await output("profile", "--url", small, ...asked, ...measured, ...asSmall);
  await output("profile", "--url", edge, ...asked, ...measured, "--scenario", scenario, "--slo", "2");
  const random = randomStream(5, "prediction");
  const moments: string[] = [];
  for (let atS = 0; atS < seconds; atS += exponential(random) / ratePerS) moments.push(atS.toFixed(4));
  writeFileSync(trace, `t\n${moments.join("\n")}\n`);
  const targets = ["--edge", edge, "--functions", `small=0.5x1024@${small}`, "--profile", profile];
  const queue = await serving("vqueue", ...targets, "--slo", "2");
  const live = await output("loadgen", "--url", queue, ...asked, "--trace", trace, "--json");
  const files = ["--trace", trace, "--scenario", scenario, "--policy", "spillway", "--json"];
  const foretold = await output("replay", ...files);
  const p99s = [JSON.parse(foretold).latencyMs.p99, JSON.parse(live).latencyMs.p99] as [number, number];
  console.log(
    `${model}: p99 foretold ${p99s[0].toFixed(1)} ms, live ${p99s[1].toFixed(1)} ms; load ${loadavg()[0]}`,
  );
  return p99s;
}

it.each([15, 30])(
  "foretells the p99 of a server that takes its time by the clock, at %d a second",
  async (ratePerS) => {
    const random = randomStream(1, "service");
    const timed = async (slowness: number): Promise<string> => {
      const serviceMs = (rows: number): number => slowness * (20 + 10 * rows) * (0.9 + 0.4 * random());
      const server = await timedServer({ serviceMs, tellsService: true });
      closings.push(() => server.close());
      return server.url;
    };
    const load = { edge: await timed(1), small: await timed(2), model: "timed", ratePerS, seconds: 40 };
    const [foretold, live] = await bothP99(load);
    expect(Math.abs(foretold - live) / live).toBeLessThan(tolerance);
  },
);

it("foretells the p99 of a model at the edge", async ({ skip }) => {
  const busy = loadavg()[0] as number;
  skip(busy > quietLoad, `the machine is busy: its load is ${busy}, above ${quietLoad}`);
  const edge = await serving("edge", "--threads", "1");
  const small = await serving("edge", "--threads", "1");
  const flags = ["--shapes", "x=1x3x48x192"];
  const [foretold, live] = await bothP99({ edge, small, model: "ocr-rec", ratePerS: 12, seconds: 40, flags });
  expect(Math.abs(foretold - live) / live).toBeLessThan(tolerance);
});
