/** The profile command as a user runs it: against servers that tell how long they served, and that do not. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { parseProfile } from "../../client/policies/profile.ts";
import { type EdgeSpec, parseScenario } from "../../replay/world/scenario.ts";
import { executable } from "../support/built.ts";
import { runInProcess } from "../support/command-line.ts";
import { timedServer, type TimedServer } from "../support/timed-server.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-profile-"));
const servers: TimedServer[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function server(tellsService: boolean): Promise<string> {
  const started = await timedServer({ serviceMs: (rows) => 20 + 5 * rows, tellsService });
  servers.push(started);
  return started.url;
}

async function run(...flags: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [executable, ...flags]);
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text) => (stdout += text));
  child.stderr.on("data", (text) => (stderr += text));
  const [status] = (await once(child, "close")) as [number];
  return { status, stdout, stderr };
}

const quick = ["--model", "timed", "--batches", "4,1,2", "--quantile", "0.8", "--json"];

it.each([
  ["tells how long it served", true],
  ["does not tell how long it served", false],
])("measures a server that %s", async (_, tells) => {
  const path = join(folder, `${tells}.json`);
  const { status, stdout, stderr } = await run(
    "profile",
    "--url",
    await server(tells),
    ...quick,
    "--save",
    path,
  );
  expect(status, stderr).toBe(0);
  const { batches, bestRows, link } = JSON.parse(stdout);
  expect(batches.map(({ rows, samples }: Record<string, number>) => [rows, samples])).toEqual([
    [1, 5],
    [2, 5],
    [4, 5],
  ]);
  // A timer of 25, 30 and 40 ms, on a machine that may be busy and add any time.
  for (const [index, leastMs] of [25, 30, 40].entries())
    expect(batches[index].p50Ms).toBeGreaterThan(leastMs - 4);
  expect([1, 2, 4]).toContain(bestRows);
  expect(link.rttMs).toBeGreaterThan(0);
  const { targets } = parseProfile(readFileSync(path, "utf8"), path);
  expect(targets).toMatchObject([{ name: "edge", models: { timed: { maxBatch: 4 } } }]);
});

it("adds a function to a profile, and makes a scenario that is replayed", async () => {
  const url = await server(true);
  const [profile, scenario, trace] = ["p.json", "s.json", "t.csv"].map((name) => join(folder, name));
  const save = ["--save", profile as string];
  await run("profile", "--url", url, ...quick, ...save);
  const functions = ["--function", "small=0.5x1024", "--functions", "small=0.5x1024,tiny=0.1x512"];
  const flags = [...functions, "--scenario", scenario as string, "--slo", "0.5"];
  const { status, stderr } = await run("profile", "--url", url, ...quick, ...save, ...flags);
  expect(status, stderr).toBe(0);
  const { targets } = parseProfile(readFileSync(profile as string, "utf8"), "");
  expect(targets.map(({ name }) => name)).toEqual(["edge", "small"]);
  const text = readFileSync(scenario as string, "utf8");
  const world = parseScenario(text, "");
  expect(world).toMatchObject({ name: "timed", sloMs: 500, sloQuantile: 0.8 });
  expect(world.serverless.sizes.map(({ name, vcpu }) => [name, vcpu])).toEqual([
    ["small", 0.5],
    ["tiny", 0.1],
  ]);
  // One that was not measured is as slow as its vCPU says.
  const medianMs = (world.edges[0] as EdgeSpec).service.quantileMs(1, 0.5);
  expect(world.serverless.sizes[1]?.service.quantileMs(1, 0.5)).toBeCloseTo(10 * medianMs, 5);
  writeFileSync(trace as string, "t\n0\n0.1\n0.2\n");
  const replayed = await run(
    "replay",
    "--trace",
    trace as string,
    "--scenario",
    scenario as string,
    "--json",
  );
  expect(JSON.parse(replayed.stdout)).toMatchObject({ requests: 3 });
});

it("measures several edges by name, and makes a world of all of them", async () => {
  const [near, far] = [await server(true), await server(true)];
  const [profile, scenario] = ["edges.json", "edges-world.json"].map((name) => join(folder, name));
  const edges = ["--edge", `near=${near}`, "--edge", far];
  const files = ["--save", profile as string, "--scenario", scenario as string];
  const { status, stdout, stderr } = await run(
    "profile",
    ...edges,
    ...quick,
    ...files,
    "--functions",
    "small=0.5x1024",
  );
  expect(status, stderr).toBe(0);
  const named = JSON.parse(stdout) as { name: string; batches: unknown[] }[];
  expect(named.map(({ name, batches }) => [name, batches.length])).toEqual([
    ["near", 3],
    ["edge-2", 3],
  ]);
  const { targets } = parseProfile(readFileSync(profile as string, "utf8"), "");
  expect(targets.map(({ name, kind }) => `${kind} ${name}`)).toEqual(["edge near", "edge edge-2"]);
  const world = parseScenario(readFileSync(scenario as string, "utf8"), "");
  expect(world.edges.map(({ name }) => name)).toEqual(["near", "edge-2"]);
  expect(world.serverless.sizes.map(({ name }) => name)).toEqual(["small"]);
});

it.each([
  [[], /--url is missing: .*--edge/],
  [["--url", "http://a:1", "--edge", "http://b:1"], /--url and --edge .* are given; allowed: one of the two/],
  [["--edge", "http://a:1", "--function", "f=1x512"], /--function and --edge are given/],
  [["--edge", "a=http://a:1,a=http://b:1"], /--edge: a is there twice; allowed: each once/],
  [["--edge", "http://a:1,http://a:1"], /--edge: http:\/\/a:1 is there twice/],
  [["--edge", "near"], /--edge is "near"; allowed: a URL or NAME=URL/],
])("says in one line which servers cannot be meant by %j", async (flags, message) => {
  const { status, stderr } = await runInProcess("profile", ...quick, ...flags);
  expect(status).toBe(2);
  expect(stderr).toMatch(message);
});

it("prints a table with a chart, and says what there was no time for", async () => {
  const some = ["--batches", "1,2", "--seconds", "1.5"];
  const { status, stdout, stderr } = await run(
    "profile",
    "--url",
    await server(true),
    "--model",
    "timed",
    ...some,
  );
  expect(status).toBe(0);
  expect(stdout).toMatch(/rows +samples +p50 ms +p99 ms +rows\/s\n +1 .* █+\n +2 .* █{30}\n/);
  expect(stdout).toMatch(/best throughput: batches of 2, [0-9.]+ rows a second\n/);
  expect(stderr).toMatch(
    /2 sizes have fewer than the 100 samples that quantile 0.99 needs \(--seconds is 1.5\)/,
  );
});

it.each([
  [["--url", "http://127.0.0.1:9", "--model", "timed"], /127\.0\.0\.1:9: connect ECONNREFUSED/],
  [["--batches", "1,two"], /--batches is "1,two"; allowed: rows with commas between/],
  [["--function", "a=1x512,b=1x512"], /--function names 2 functions/],
  [["--save", "/no/such/p"], /--save: \/no\/such\/p: no such folder/],
  [["--scenario", join(folder, "x.json")], /--scenario needs a function/],
  [["--scenario", join(folder, "x.json"), "--prices", "cheap"], /no price sheet "cheap"/],
])("ends with status 2 and one clear line for %j", async (flags, message) => {
  const { status, stderr } = await runInProcess("profile", "--url", await server(true), ...quick, ...flags);
  expect(status).toBe(2);
  expect(stderr).toMatch(message);
  expect(existsSync(join(folder, "x.json"))).toBe(false);
});
