/** Storms over the functions of a running queue: throttling, cold starts, crashes, and instances that are killed. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, expect, it } from "vitest";
import type { QueueEvent } from "../../client/queue/queue-event.ts";
import type { SpendStatus } from "../../client/targets/spend-cap.ts";
import { parseRecord, type RecordedDecision, replayRecord } from "../../replay/records/recorded-run.ts";
import type { InstanceView } from "../../serverless/host/instances/instance.ts";
import type { Bill } from "../../serverless/host/meter.ts";
import { executable, isAlive } from "../support/built.ts";
import { timedServer } from "../support/timed-server.ts";

const perS = 20;
const menu = "small=0.5x1024,large=1x2048";
const folder = mkdtempSync(join(tmpdir(), "spillway-storms-"));
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});
afterAll(() => rmSync(folder, { recursive: true }));

async function start(
  ...flags: string[]
): Promise<{ url: string; log: () => string; stop: () => Promise<number> }> {
  const child = spawn(process.execPath, [executable, ...flags, "--port", "0"], {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  children.push(child);
  let log = "";
  child.stderr?.on("data", (text) => (log += text));
  const [{ url }] = (await once(child, "message")) as [{ url: string }];
  const stop = async (): Promise<number> => {
    child.kill("SIGTERM");
    const [status] = (await once(child, "exit")) as [number];
    return status;
  };
  return { url, log: () => log, stop };
}

/** A profile in which the edge is so slow that most of the load has to go to functions. */
function slowEdgeProfile(): string {
  const target = (ms: number, replicas: number) => {
    const serviceMs = Object.fromEntries([1, 2, 4, 8].map((rows) => [rows, [ms * rows, 1.2 * ms * rows]]));
    const models = { "ocr-cls": { requestBytes: 60_000, maxBatch: 8, serviceMs } };
    return { replicas, link: { rttMs: 2, uplinkMbps: 1_000 }, coldStartMs: [800], models };
  };
  const functions = [
    { ...target(15, 4), name: "small", kind: "serverless", vcpu: 0.5, memoryMib: 1_024 },
    { ...target(10, 4), name: "large", kind: "serverless", vcpu: 1, memoryMib: 2_048 },
  ];
  const path = join(folder, "profile.json");
  const edge = { ...target(60, 1), name: "edge", kind: "edge" };
  writeFileSync(path, JSON.stringify({ format: "spillway-profile/1", targets: [edge, ...functions] }));
  return path;
}

function requestBody(): string {
  const data = Array.from({ length: 3 * 48 * 32 }, () => 0.5);
  return JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 3, 48, 32], data }] });
}

/** An edge that is idle for so long could have served one request more, on a machine that is busy besides. */
const edgeNeedsMs = 250;

/** How long the edge was idle at a stretch while each request waited that was not answered in the end. */
function lostIdleMs(inputs: readonly QueueEvent[], outputs: readonly RecordedDecision[]): number[] {
  const lives = new Map<number, { fromMs: number; toMs: number }>();
  for (const event of inputs) {
    if (event.kind === "arrival") lives.set(event.id, { fromMs: event.atMs, toMs: event.atMs + event.sloMs });
  }
  const endMs = new Map(
    inputs.flatMap((event) => (event.kind === "result" ? [[event.batch, event.atMs] as const] : [])),
  );
  const busy = outputs.flatMap((event) =>
    event.kind === "batch" && event.target === "edge"
      ? [{ fromMs: event.atMs, toMs: endMs.get(event.id) ?? Infinity }]
      : [],
  );
  const lost = outputs.flatMap((event) =>
    event.kind === "end" && !["served", "late"].includes(event.outcome) ? [event.id] : [],
  );
  return lost.map((id) => {
    const life = lives.get(id) as { fromMs: number; toMs: number };
    let [freeSinceMs, longestMs] = [life.fromMs, 0];
    for (const { fromMs, toMs } of busy) {
      if (toMs < life.fromMs) continue;
      longestMs = Math.max(longestMs, Math.min(fromMs, life.toMs) - freeSinceMs);
      freeSinceMs = Math.max(freeSinceMs, toMs);
    }
    return Math.max(longestMs, life.toMs - freeSinceMs);
  });
}

const plans = {
  fixed: () => [
    "--policy",
    "fixed",
    "--edge-batch",
    "4",
    "--timeout",
    "0.2",
    "--slo",
    "8",
    "--call-timeout",
    "2",
  ],
  spillway: () => ["--functions", menu, "--slo", "2", "--profile", slowEdgeProfile()],
};

it.each(["fixed", "spillway"] as const)(
  "with plan %s loses no request that another target could serve, ends each once, and counts what it is billed",
  async (plan) => {
    // The edge of the plan spillway is slow by the clock, so that most of the load has to go to functions.
    const edge =
      plan === "fixed"
        ? await start("edge", "--threads", "1")
        : await timedServer({ serviceMs: (rows) => 60 * rows, tellsService: true, model: "ocr-cls" });
    const named = plan === "fixed" ? [] : ["--functions", menu];
    const functions = await start("function-host", "--function-timeout", "10", ...named);
    const record = join(folder, `${plan}.ndjson`);
    const targets = ["--edge", edge.url, "--fc-endpoint", functions.url, "--function-timeout", "10"];
    const money = ["--max-spend-per-hour", "10", "--spend-file", join(folder, `${plan}-spend.json`)];
    const queue = await start("vqueue", ...targets, ...money, "--record", record, ...plans[plan]());
    const admin = async (path: string, body?: object): Promise<unknown> => {
      const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
      const reply = await fetch(`${functions.url}/admin/${path}`, init);
      expect(reply.status).toBe(200);
      return reply.json();
    };

    const body = requestBody();
    const statuses: Promise<{ status: number; text: string }>[] = [];
    const over = new AbortController();
    const load = (async () => {
      while (!over.signal.aborted) {
        statuses.push(
          fetch(`${queue.url}/v2/models/ocr-cls/infer`, { method: "POST", body }).then(async (reply) => ({
            status: reply.status,
            text: await reply.text(),
          })),
        );
        await delay(1_000 / perS);
      }
    })();
    await delay(3_000);
    await admin("faults", { throttle: 1, seconds: 4 });
    await delay(7_000);
    await admin("faults", { cold: "every", seconds: 4 });
    await delay(7_000);
    let killed = 0;
    for (let round = 0; round < 12; round++) {
      for (const { pid } of (await admin("instances")) as InstanceView[]) {
        if (pid === null || !isAlive(pid)) continue;
        process.kill(pid, "SIGKILL");
        killed++;
      }
      await delay(300);
    }
    await admin("faults", { crash: 0.3, throttle: 0.3, seconds: 4 });
    await delay(9_000);
    over.abort();
    await load;
    const replies = await Promise.all(statuses);
    const spend = (await (await fetch(`${queue.url}/admin/spend`)).json()) as SpendStatus;
    expect(await queue.stop(), queue.log()).toBe(0);
    // What was given up may still run.
    await delay(1_000);
    const bill = (await admin("bill")) as Bill;

    const lost = replies.filter(({ status }) => status !== 200);
    const run = parseRecord(readFileSync(record, "utf8"), record);
    const ends = run.outputs.filter((output) => output.kind === "end");
    expect(new Set(ends.map(({ id }) => id)).size).toBe(replies.length);
    expect(ends).toHaveLength(replies.length);
    expect(JSON.parse(JSON.stringify(replayRecord(run)))).toEqual(run.outputs);

    const results = run.inputs.filter(
      (input): input is QueueEvent & { kind: "result" } => input.kind === "result",
    );
    const calls = new Set(
      run.outputs.flatMap((output) =>
        output.kind === "batch" && output.target !== "edge" ? [output.id] : [],
      ),
    );
    const atFunctions = results.filter(({ batch }) => calls.has(batch));
    const failed = atFunctions.filter(({ ok }) => !ok);
    const counted = atFunctions.reduce((sum, { cost = 0 }) => sum + cost, 0);
    const codes: Record<string, number> = {};
    for (const result of failed) if (!result.ok) codes[result.code] = (codes[result.code] ?? 0) + 1;
    console.log(
      `${plan}: ${replies.length} requests, ${lost.length} lost; ${calls.size} calls of functions, failed ${JSON.stringify(codes)};` +
        ` ${killed} instances killed; billed ${bill.total.cost}, in answers ${counted}, counted ${spend.hour.spent}`,
    );
    if (lost.length > 0)
      console.log([...new Set(lost.map(({ status, text }) => `${status} ${text}`))].slice(0, 8).join("\n"));

    expect(failed.length).toBeGreaterThan(0);
    expect(killed).toBeGreaterThan(0);
    // A request is lost only where the edge had no time for it, from its arrival to its deadline.
    const wasted = lostIdleMs(run.inputs, run.outputs);
    console.log(
      `${plan}: longest idle time of the edge while a lost request waited: ${Math.max(0, ...wasted)} ms`,
    );
    for (const idleMs of wasted) expect(idleMs).toBeLessThan(edgeNeedsMs);
    for (const { status, text } of lost) {
      expect([502, 503, 504]).toContain(status);
      expect((JSON.parse(text) as { error: string }).error.length).toBeGreaterThan(10);
    }
    if ("close" in edge) edge.close();
    // The bill has what no answer told of: initializers, and calls that died.
    expect(bill.total.cost).toBeGreaterThanOrEqual(counted - 1e-9);
    expect(bill.total.cost).toBeLessThanOrEqual(spend.hour.spent + 1e-9);
  },
  120_000,
);
