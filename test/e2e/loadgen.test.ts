/** The load generator as a user runs it, against an edge server and against the queue before it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { executable } from "../support/built.ts";
import { runInProcess } from "../support/command-line.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-loadgen-"));
const children: ChildProcess[] = [];
let edge: string;
let queue: string;

function start(...flags: string[]): ChildProcess {
  const child = spawn(process.execPath, [executable, ...flags], { stdio: ["ignore", "pipe", "pipe", "ipc"] });
  children.push(child);
  return child;
}

async function listening(child: ChildProcess): Promise<string> {
  child.stderr?.resume();
  const [{ url }] = (await once(child, "message")) as [{ url: string }];
  return url;
}

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function loadgen(...flags: string[]): Promise<Ended> {
  return runInProcess("loadgen", ...flags);
}

async function run(...flags: string[]): Promise<Ended> {
  const child = start(...flags);
  let [stdout, stderr] = ["", ""];
  child.stdout?.on("data", (text) => (stdout += text));
  child.stderr?.on("data", (text) => (stderr += text));
  const [status] = (await once(child, "close")) as [number];
  return { status, stdout, stderr };
}

beforeAll(async () => {
  edge = await listening(start("edge", "--port", "0", "--threads", "1", "--load", "ocr-cls,ocr-det"));
  queue = await listening(
    start(
      "vqueue",
      "--port",
      "0",
      "--edge",
      edge,
      "--no-serverless",
      "--models",
      "ocr-cls",
      "--calibrate",
      "2",
    ),
  );
});

afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
});

const shapes = ["--shapes", "x=1x3x48x192"];
const asked = ["--model", "ocr-cls", ...shapes];

it.each([
  ["rendered text", ["--payload", "text", "--rate", "40", "--seconds", "1"]],
  ["made-up pictures", ["--payload", "images", "--images", folder, "--concurrency", "2", "--requests", "20"]],
  ["tensors by a trace", ["--trace", "t.csv"]],
])("has %s answered by the edge and by the queue", async (_, flags) => {
  const trace = join(folder, "t.csv");
  writeFileSync(trace, "t,rows\n0,1\n0.1,2\n0.2,1\n");
  const given = flags.map((flag) => (flag === "t.csv" ? trace : flag));
  for (const url of [edge, queue]) {
    const { status, stdout, stderr } = await loadgen("--url", url, ...asked, ...given, "--json");
    expect(status, stderr).toBe(0);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ model: "ocr-cls", errors: {}, isCutShort: false });
    expect(result.answered).toBe(result.requests);
    expect(result.answered).toBeGreaterThan(2);
    expect(result.latencyMs.p99).toBeGreaterThan(0);
    expect(result.verdict).toMatchObject({ isValid: false, needed: 262_742 });
  }
});

it("sends pictures as they are to a model that takes them, and profiles it with them", async () => {
  const pictures = ["--url", edge, "--model", "ocr-det", "--payload", "images", "--images", folder, "--json"];
  const { status, stdout, stderr } = await loadgen(...pictures, "--concurrency", "1", "--requests", "2");
  expect(status, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ answered: 2, errors: {} });
  const profile = await run("profile", ...pictures, "--batches", "1,2", "--quantile", "0.5");
  expect(profile.status, profile.stderr).toBe(0);
  const { batches } = JSON.parse(profile.stdout) as { batches: { rows: number; samples: number }[] };
  expect(batches.map(({ rows, samples }) => [rows, samples])).toEqual([
    [1, 2],
    [2, 2],
  ]);
});

it("writes the latencies as a table and as JSON", async () => {
  const load = ["--url", edge, ...asked, "--concurrency", "1", "--requests", "5", "--histogram"];
  const table = join(folder, "latency.hgrm");
  expect((await loadgen(...load, table)).stdout).toMatch(/answered +5, .*\n +latency +p50 /);
  expect(readFileSync(table, "utf8")).toContain("Total count    =            5");
  const json = join(folder, "latency.json");
  await loadgen(...load, json);
  expect(JSON.parse(readFileSync(json, "utf8"))).toMatchObject({ unit: "ms", total: 5 });
});

it("stops sending at Ctrl-C, waits for what is under way, and says that it was cut short", async () => {
  const child = start("loadgen", "--url", edge, ...asked, "--rate", "5", "--seconds", "60", "--json");
  let stdout = "";
  child.stdout?.on("data", (text) => (stdout += text));
  const [said] = (await once(child.stderr as NodeJS.ReadableStream, "data")) as [Buffer];
  expect(said.toString()).toMatch(/^sending to http/);
  child.kill("SIGINT");
  await once(child, "close");
  expect(JSON.parse(stdout)).toMatchObject({ isCutShort: true, errors: {} });
});

it("prints the generator's own ceiling", async () => {
  const { status, stdout } = await loadgen("--calibrate", "--seconds", "0.3", "--concurrency", "8", "--json");
  expect(status).toBe(0);
  const { alone, busy, concurrency, bodyBytes } = JSON.parse(stdout);
  expect([alone.errors, busy.errors, concurrency]).toEqual([{}, {}, 8]);
  expect(bodyBytes).toBeGreaterThan(1_024);
  expect(busy.throughputPerS).toBeGreaterThan(100);
});

it.each([
  [["--rate", "1"], /--url is missing/],
  [["--rate", "1", "--concurrency", "1"], /--rate and --concurrency are given; give one of/],
  [[], /no load is given; give one of --rate, --trace and --concurrency/],
  [["--rate", "1", "--model", "nobody"], /status 404.*no model .+nobody/],
  [
    ["--rate", "1", "--shapes", "x=3by4"],
    /--shapes is "x=3by4"; allowed: .*a size of "x=3by4" is "3by4"; allowed: an integer/,
  ],
  [["--rate", "1", "--shapes", "z=1x4"], /the model has no input "z"/],
  [["--rate", "1", "--payload", "images"], /--images is missing/],
  [["--rate", "1", "--payload", "images", "--images", "/no/such"], /--images: \/no\/such: no such file/],
  [["--trace", "/no/such/trace"], /\/no\/such\/trace: no such file/],
  [["--rate", "1", "--histogram", "/no/such/h"], /--histogram: \/no\/such\/h: no such folder/],
])("ends with status 2 and one clear line for %j", async (flags, message) => {
  const where = /url is missing/.test(message.source) ? [] : ["--url", edge];
  const { status, stderr } = await runInProcess("loadgen", ...where, ...asked, ...flags);
  expect(status).toBe(2);
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/\n {4}at /);
});
