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
import { exponential, randomStream } from "../../replay/traces/random-stream.ts";
import { executable } from "../support/built.ts";
import { timedServer } from "../support/timed-server.ts";

/** The replay's p99 may be off by this part of the live one. */
const tolerance = 0.25;
/** A machine on which the load generator itself is later than this part of the latency tells nothing of the servers. */
const stalled = 0.1;

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
  /** In seconds. */
  readonly slo: string;
  readonly flags?: readonly string[];
}

/** By which part of the live p99 the foretold one is off. Skips the test where the machine stalled meanwhile. */
async function errorOfP99(load: Load, skip: (when: boolean, why: string) => void): Promise<number> {
  const { edge, model, small, ratePerS, seconds, slo, flags = [] } = load;
  const folder = mkdtempSync(join(tmpdir(), "spillway-prediction-"));
  const file = (name: string): string => join(folder, name);
  const [profile, scenario, trace] = [file("profile.json"), file("scenario.json"), file("trace.csv")];
  const asked = ["--model", model, ...flags];
  const measured = ["--batches", "1,2,4,8", "--quantile", "0.9", "--seconds", "90", "--save", profile];
  await output("profile", "--url", small, ...asked, ...measured, "--function", "small=0.5x1024");
  await output("profile", "--url", edge, ...asked, ...measured, "--scenario", scenario, "--slo", slo);
  const random = randomStream(5, "prediction");
  const moments: string[] = [];
  for (let atS = 0; atS < seconds; atS += exponential(random) / ratePerS) moments.push(atS.toFixed(4));
  writeFileSync(trace, `t\n${moments.join("\n")}\n`);
  const targets = ["--edge", edge, "--functions", `small=0.5x1024@${small}`, "--profile", profile];
  const queue = await serving("vqueue", ...targets, "--slo", slo, "--slo-quantile", "0.9");
  const live = JSON.parse(await output("loadgen", "--url", queue, ...asked, "--trace", trace, "--json"));
  const files = ["--trace", trace, "--scenario", scenario, "--policy", "spillway", "--json"];
  const foretold = JSON.parse(await output("replay", ...files));
  const [liveMs, foretoldMs] = [live.latencyMs.p99, foretold.latencyMs.p99] as [number, number];
  const lateMs = live.latenessMs.p99 as number;
  console.log(
    `${model}: p99 foretold ${foretoldMs.toFixed(1)} ms, live ${liveMs.toFixed(1)} ms;` +
      ` the generator was late by ${lateMs.toFixed(1)} ms; load ${loadavg()[0]}`,
  );
  expect(live.answered).toBe(moments.length);
  skip(lateMs > stalled * liveMs, `the machine stalled: the generator was late by ${lateMs} ms at p99`);
  return Math.abs(foretoldMs - liveMs) / liveMs;
}

// Slow ones, so that a stall of the machine is short beside them.
it.for([1, 3])(
  "foretells the p99 of a server that takes its time by the clock, at %d a second",
  async (ratePerS, { skip }) => {
    const random = randomStream(1, "service");
    const timed = async (slowness: number): Promise<string> => {
      const serviceMs = (rows: number): number => slowness * (200 + 100 * rows) * (0.9 + 0.4 * random());
      const server = await timedServer({ serviceMs, tellsService: true });
      closings.push(() => server.close());
      return server.url;
    };
    const [edge, small] = [await timed(1), await timed(2)];
    const load = { edge, small, model: "timed", ratePerS, seconds: 90, slo: "20" };
    expect(await errorOfP99(load, skip)).toBeLessThan(tolerance);
  },
);

it("foretells the p99 of a model at the edge", async ({ skip }) => {
  const edge = await serving("edge", "--threads", "1", "--load", "ocr-det");
  const small = await serving("edge", "--threads", "1", "--load", "ocr-det");
  // A picture goes in and a few boxes come out, so that nearly all of the time is the model's.
  const flags = ["--payload", "images", "--images", mkdtempSync(join(tmpdir(), "spillway-pictures-"))];
  const load = { edge, small, model: "ocr-det", ratePerS: 8, seconds: 90, slo: "4", flags };
  expect(await errorOfP99(load, skip)).toBeLessThan(tolerance);
});
