/** The demo as a user runs it: real processes, an edge that is killed and comes back, and signals. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { parseRecord, replayRecord } from "../../replay/records/recorded-run.ts";
import { eventually, executable, isAlive } from "../support/built.ts";

const children: ChildProcess[] = [];
const folder = mkdtempSync(join(tmpdir(), "spillway-demo-test-"));

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

function startDemo(...flags: string[]) {
  const child = spawn(process.execPath, [executable, "demo", ...flags], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text) => (stdout += text));
  child.stderr.on("data", (text) => (stderr += text));
  const ended = once(child, "close").then(([status]) => ({
    status: status as number | null,
    stdout,
    stderr,
  }));
  return { child, ended, log: () => stderr };
}

it("loses no request when a replica and then the whole edge are killed, and leaves no log when all went well", async () => {
  const record = join(folder, "demo.ndjson");
  const page = join(folder, "demo.html");
  const demo = startDemo("--seconds", "12", "--json", "--record", record, "--report", page);
  const logPath = await eventually(() => {
    const path = /log to (\S+)/.exec(demo.log())?.[1];
    expect(path).toBeDefined();
    return path as string;
  });
  await eventually(() => expect(demo.log()).toContain("act 1 of 4, calm: "));
  const ready = /"model":"ocr-cls".*?"pid":([0-9]+),"msg":"replica ready"/;
  const pid = Number(ready.exec(readFileSync(logPath, "utf8"))?.[1]);
  await eventually(() => {
    const batches =
      readFileSync(join(dirname(logPath), "record.ndjson"), "utf8").match(/"kind":"batch"/g) ?? [];
    expect(batches.length).toBeGreaterThan(3);
  });
  process.kill(pid, "SIGKILL");
  await eventually(() => {
    expect(readFileSync(logPath, "utf8")).toContain("replica ended; starting another");
  });
  await eventually(() => expect(demo.log()).toContain("the edge is killed"));
  const pids = [...readFileSync(logPath, "utf8").matchAll(/"pid":([0-9]+)/g)].map(([, each]) => Number(each));
  const { status, stdout, stderr } = await demo.ended;
  const report = JSON.parse(stdout);
  expect(report).toMatchObject({ wrong: 0, lost: 0, currency: "CNY", reportPath: page });
  expect(report.requests).toBe(report.planned);
  expect(Object.keys(report.targets)).toContain("edge");
  expect(report.outage.requests).toBeGreaterThan(0);
  expect(report.replayed.map(({ policy }: { policy: string }) => policy)).toEqual([
    "fixed",
    "edge-only",
    "serverless-only",
    "spillway",
  ]);
  for (const { requests } of report.replayed) expect(requests).toBe(report.requests);
  expect(report.sentence).toMatch(
    /^[\d.]+ % in time; the edge alone \d+ %; functions alone [\d.]+ CNY, Spillway [\d.]+; the limit is [\d.]+\.$/,
  );
  expect(status, stderr).toBe(0);
  expect(stderr).toMatch(/measured: the edge takes [\d.]+ requests\/s/);
  expect(stderr).toMatch(/\/s {2}edge .* functions .* in SLO .* CNY; functions alone /);
  const recorded = parseRecord(readFileSync(record, "utf8"), record);
  const shared = recorded.outputs.filter((output) => output.kind === "batch" && output.requests.length > 1);
  expect(shared.length).toBeGreaterThan(3);
  expect(JSON.parse(JSON.stringify(replayRecord(recorded)))).toEqual(recorded.outputs);
  expect(readFileSync(page, "utf8")).toContain("<svg");
  expect(pids.filter(isAlive)).toEqual([]);
  expect(existsSync(logPath)).toBe(false);
}, 120_000);

it("runs before two edges, takes one of them away, and judges it by the record", async () => {
  const demo = startDemo("--seconds", "8", "--edges", "2", "--json");
  const { status, stdout, stderr } = await demo.ended;
  expect(status, stderr).toBe(0);
  const report = JSON.parse(stdout) as {
    readonly wrong: number;
    readonly lost: number;
    readonly targets: object;
    readonly outage: object;
    readonly replayed: readonly { readonly targets: object }[];
    readonly reportPath: string;
  };
  expect(report).toMatchObject({ wrong: 0, lost: 0, outage: { edge: "edge-1" } });
  expect(Object.keys(report.targets)).toContain("edge-2");
  for (const { targets } of report.replayed)
    expect(Object.keys(targets)).toEqual(["edge-1", "edge-2", "small", "large"]);
  expect(stderr).toContain("edge-1 is killed; edge-2 and functions carry the load");
  rmSync(dirname(report.reportPath), { recursive: true });
}, 120_000);

it("answers what is under way after Ctrl-C, stops its programs, and says that it was cut short", async () => {
  const demo = startDemo("--seconds", "6");
  await eventually(() => expect(demo.log()).toContain("act 2 of 4"));
  demo.child.kill("SIGINT");
  const { status, stdout } = await demo.ended;
  expect(stdout).toMatch(/requests +\d+ of \d+: cut short/);
  expect(stdout).toMatch(/lost +0\n/);
  const page = /report with charts is (\S+)/.exec(stdout)?.[1] as string;
  expect(existsSync(page)).toBe(true);
  rmSync(dirname(page), { recursive: true });
  expect(status).toBe(0);
}, 90_000);

it("stops its programs when it is told to while it measures", async () => {
  const demo = startDemo("--seconds", "12");
  await eventually(() => expect(demo.log()).toContain("measuring edge and functions"));
  demo.child.kill("SIGTERM");
  const { status, stdout } = await demo.ended;
  expect(stdout).toMatch(/requests +0 of \d+: cut short/);
  expect(stdout).toContain("no request was sent");
  expect(status).toBe(0);
}, 90_000);
