/** The programs as a user runs them: real processes, signals, ports and files. */
import { type ChildProcess, execFileSync, spawn, type StdioOptions } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { parseProfile } from "../../client/policies/profile.ts";
import { parseRecord, replayRecord } from "../../replay/records/recorded-run.ts";
import { eventually, executable, isAlive } from "../support/built.ts";

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const children: ChildProcess[] = [];
const folder = mkdtempSync(join(tmpdir(), "spillway-programs-"));

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

function start(...flags: string[]): { child: ChildProcess; ended: Promise<Ended>; log: () => string } {
  const stdio: StdioOptions = ["ignore", "pipe", "pipe", "ipc"];
  // A function takes its port from the environment.
  const env = { ...process.env, PORT: "0" };
  const child = spawn(process.execPath, [executable, ...flags], { stdio, env });
  children.push(child);
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (text) => (stdout += text));
  child.stderr?.on("data", (text) => (stderr += text));
  const ended = once(child, "close").then(([status]) => ({
    status: status as number | null,
    stdout,
    stderr,
  }));
  return { child, ended, log: () => stderr };
}

async function listening(child: ChildProcess): Promise<string> {
  const [message] = (await once(child, "message")) as [{ url: string }];
  return message.url;
}

const run = (...flags: string[]): Promise<Ended> => start(...flags).ended;

function body(): string {
  const data = Array.from({ length: 3 * 48 * 32 }, () => 0.5);
  return JSON.stringify({ id: "a", inputs: [{ name: "x", datatype: "FP32", shape: [1, 3, 48, 32], data }] });
}

/** Process ids of the replicas and instances that a program logged. */
function pidsIn(log: string): number[] {
  return [...log.matchAll(/"pid":([0-9]+)/g)].map(([, pid]) => Number(pid));
}

describe("the programs", () => {
  it("says which port is busy, and leaves nothing running", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const { status, stderr } = await run("edge", "--port", String(port));
    const queue = await run("vqueue", "--port", String(port));
    other.close();
    expect(queue.status).toBe(2);
    expect(queue.stderr).toContain("is in use");
    expect(queue.stderr).not.toContain("measur");
    expect(status).toBe(2);
    expect(stderr).toContain(`port ${port} of 127.0.0.1 is in use`);
    expect(stderr).not.toContain("replica");
  });

  it("answers that it lives but is not ready while models load, and can be stopped meanwhile", async () => {
    // A pipe into which nobody writes is a model that never ends to load.
    mkdirSync(join(folder, "models", "slow", "1"), { recursive: true });
    execFileSync("mkfifo", [join(folder, "models", "slow", "1", "model.onnx")]);
    const edge = start("edge", "--port", "0", "--models", join(folder, "models"));
    const url = await eventually(() => {
      const found = /"url":"([^"]+)"/.exec(edge.log())?.[1];
      expect(found).toBeDefined();
      return found as string;
    });
    const status = async (path: string, init?: RequestInit) =>
      (await fetch(`${url}/v2/${path}`, init)).status;
    const infer = status("models/slow/infer", { method: "POST", body: body() });
    expect(await Promise.all([status("health/live"), status("health/ready"), infer])).toEqual([
      200, 503, 503,
    ]);
    edge.child.kill("SIGTERM");
    expect((await edge.ended).status).toBe(0);
  });

  it("takes options from a file, refuses unknown ones, and lets a flag win", async () => {
    const good = join(folder, "good.yaml");
    writeFileSync(good, "port: 0\nslo: 7\ntimeout: 3\n");
    const daemon = start("vqueue", "--config", good, "--timeout", "2", "--no-serverless", "--plan", "fixed");
    await listening(daemon.child);
    daemon.child.kill("SIGTERM");
    const { status, stderr } = await daemon.ended;
    expect(status).toBe(0);
    expect(stderr).toContain('"sloS":7');
    expect(stderr).toContain('"timeoutMs":2000');
    const bad = join(folder, "bad.yaml");
    writeFileSync(bad, "prot: 1\n");
    const refused = await run("edge", "--config", bad);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain(`${bad}: unknown option "prot"; did you mean "port"?`);
  });
});

describe("edge, functions and queue together", () => {
  it.each(["SIGINT", "SIGTERM"] as const)(
    "answer everything they accepted after %s, exit 0 and leave no process behind",
    async (signal) => {
      const edge = start("edge", "--port", "0", "--load", "ocr-cls");
      const functions = start("functions", "--port", "0");
      const [edgeUrl, functionsUrl] = await Promise.all([listening(edge.child), listening(functions.child)]);
      const record = join(folder, `${signal}.ndjson`);
      const targets = ["--edge", edgeUrl, "--fc-endpoint", functionsUrl, "--record", record];
      // A timeout that never comes: only draining sends the batch that is not full.
      const slow = ["--policy", "fixed", "--slo", "60", "--timeout", "60"];
      const queue = start("vqueue", "--port", "0", ...targets, ...slow, "--edge-batch", "4");
      const url = await listening(queue.child);
      const ask = (): Promise<Response> =>
        fetch(`${url}/v2/models/ocr-cls/infer`, { method: "POST", body: body() });
      const replies = Array.from({ length: 9 }, ask);
      await eventually(() => {
        const arrivals = readFileSync(record, "utf8").match(/"kind":"arrival"/g) ?? [];
        expect(arrivals).toHaveLength(9);
      });
      queue.child.kill(signal);
      const answers = await Promise.all(replies.map(async (reply) => (await reply).json()));
      expect(answers.map((answer) => (answer as { id: string }).id)).toEqual(
        Array.from({ length: 9 }, () => "a"),
      );
      expect((await queue.ended).status).toBe(0);
      for (const program of [functions, edge]) {
        program.child.kill(signal);
        expect((await program.ended).status).toBe(0);
      }
      expect(pidsIn(edge.log() + functions.log()).filter(isAlive)).toEqual([]);

      const recorded = parseRecord(readFileSync(record, "utf8"), record);
      expect(recorded.outputs.filter(({ kind }) => kind === "batch")).toHaveLength(3);
      expect(replayRecord(recorded)).toEqual(recorded.outputs);
    },
  );

  it("let a function that is stopped on its own answer the call it has", async () => {
    const alone = start("function", "--host", "127.0.0.1");
    const url = await listening(alone.child);
    const call = request(`${url}/v2/models/ocr-cls/infer`, {
      method: "POST",
      headers: { expect: "100-continue" },
    });
    call.flushHeaders();
    await once(call, "continue");
    alone.child.kill("SIGTERM");
    await eventually(() => expect(alone.log()).toContain("draining"));
    call.end(body());
    const [answer] = (await once(call, "response")) as [IncomingMessage];
    answer.resume();
    expect(answer.statusCode).toBe(200);
    expect((await alone.ended).status).toBe(0);
  });

  it("serve by the policy spillway from the edge, and from functions once it is gone; the record replays", async () => {
    const menu = "small=0.5x1024,large=2x4096";
    const edge = start("edge", "--port", "0", "--threads", "1", "--load", "ocr-rec");
    const functions = start("functions", "--port", "0", "--functions", menu);
    const [edgeUrl, functionsUrl] = await Promise.all([listening(edge.child), listening(functions.child)]);
    const [record, profile] = [join(folder, "spillway.ndjson"), join(folder, "profile.json")];
    const files = ["--record", record, "--save-profile", profile, "--models", "ocr-rec"];
    const targets = ["--edge", edgeUrl, "--fc-endpoint", functionsUrl, "--functions", menu];
    // Long enough for an edge on a busy machine: later ones would go to functions.
    const settings = ["--slo", "20", "--timeout", "5", "--calibrate", "15"];
    const queue = start("vqueue", "--port", "0", ...targets, ...files, ...settings);
    const url = await listening(queue.child);
    const ask = async (): Promise<unknown> => {
      const reply = await fetch(`${url}/v2/models/ocr-rec/infer`, { method: "POST", body: body() });
      const answer = (await reply.json()) as { parameters?: { spillway_target: string } };
      return answer.parameters?.spillway_target ?? answer;
    };
    const asked = (count: number): Promise<unknown[]> => Promise.all(Array.from({ length: count }, ask));
    expect(await asked(5)).toEqual(Array.from({ length: 5 }, () => "edge"));
    edge.child.kill("SIGKILL");
    await edge.ended;
    for (const target of await asked(20)) expect(["small", "large"]).toContain(target);
    const statusOf = async (path: string, init?: RequestInit): Promise<number> =>
      (await fetch(`${url}${path}`, init)).status;
    expect(await statusOf("/v2/models/ocr-rec")).toBe(200);
    expect(await statusOf("/v2/models/ocr-rec/ready")).toBe(200);
    expect(await statusOf("/v2/models/nobody/infer", { method: "POST", body: body() })).toBe(404);
    queue.child.kill("SIGTERM");
    const { status, stderr } = await queue.ended;
    expect(status).toBe(0);
    expect(stderr).toContain('"msg":"plan"');

    const measured = parseProfile(readFileSync(profile, "utf8"), profile);
    expect(measured.targets.map(({ name }) => name)).toEqual(["edge", "small", "large"]);
    for (const { models } of measured.targets) expect(Object.keys(models)).toEqual(["ocr-rec"]);
    const recorded = parseRecord(readFileSync(record, "utf8"), record);
    expect(recorded.header.policy).toMatchObject({ name: "spillway", targets: measured.targets });
    expect(recorded.outputs.some(({ kind }) => kind === "plan")).toBe(true);
    expect(JSON.parse(JSON.stringify(replayRecord(recorded)))).toEqual(recorded.outputs);

    const check = await run("replay", "--record", record, "--explain", "7");
    expect(check.status, check.stderr).toBe(0);
    expect(check.stdout).toMatch(/^identical: \d+ decisions$/m);
    expect(check.stdout).toMatch(/^ {2}\d.* It left in batch \d+ to /m);
    const compared = await run("replay", "--record", record, "--compare", "edge-only,spillway", "--json");
    expect(JSON.parse(compared.stdout)).toMatchObject([{ requests: 25 }, { requests: 25 }]);
  }, 60_000);

  it("let the edge say that it is not ready, and serve on, for the time it was told", async () => {
    const edge = start("edge", "--port", "0", "--lame-duck", "1", "--load", "ocr-cls");
    const url = await listening(edge.child);
    const status = async (path: string, init?: RequestInit) =>
      (await fetch(`${url}/v2/${path}`, init)).status;
    expect(await status("health/ready")).toBe(200);
    edge.child.kill("SIGTERM");
    await eventually(async () => expect(await status("health/ready")).toBe(503));
    expect(await status("models/ocr-cls/infer", { method: "POST", body: body() })).toBe(200);
    expect((await edge.ended).status).toBe(0);
  });

  it("end at once at a second signal", async () => {
    const edge = start("edge", "--port", "0", "--lame-duck", "60", "--load", "ocr-cls");
    await listening(edge.child);
    edge.child.kill("SIGTERM");
    await eventually(() => expect(edge.log()).toContain("still serving"));
    edge.child.kill("SIGTERM");
    expect((await edge.ended).status).toBe(130);
    await eventually(() => expect(pidsIn(edge.log()).filter(isAlive)).toEqual([]));
  });

  it("end when the process that started them is killed, with every child", async () => {
    const edge = start("edge", "--port", "0");
    await listening(edge.child);
    const pids = pidsIn(edge.log());
    // The classifier and the reader, for tensors and for pictures; the detector; and the steps of the pipeline.
    expect(pids).toHaveLength(6);
    edge.child.kill("SIGKILL");
    await eventually(() => expect(pids.filter(isAlive)).toEqual([]));
  });
});
