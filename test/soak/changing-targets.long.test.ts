/**
 * A daemon under load while edges are added and removed, on request and by its file, and while servers change their models:
 * every request is answered, rightly and once, and the record replays to the same decisions. SPILLWAY_SOAK_S is how long it
 * takes, in seconds (default 20); SPILLWAY_SEED gives an order of changes again.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { seededRandom } from "../../base/random.ts";
import { checkRecord } from "../../replay/records/check-record.ts";
import { parseRecord } from "../../replay/records/recorded-run.ts";
import { executable } from "../support/built.ts";
import { type DoublingServer, doublingServer } from "../support/doubling-server.ts";

const soakS = Number(process.env["SPILLWAY_SOAK_S"] ?? 20);
const seed = Number(process.env["SPILLWAY_SEED"] ?? Date.now() % 1_000_000);
const callers = 24;
/** Between two changes, in milliseconds. */
const changeEveryMs = 400;

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

interface Target {
  readonly name: string;
  readonly source: string;
  readonly state: string;
}

it(`answers every request rightly while edges come and go, seed ${seed}`, async () => {
  const random = seededRandom(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const servers = await Promise.all(
    (["ours", "plain", "triton", "ours", "plain"] as const).map((kind, index) =>
      doublingServer({ kind, serviceMs: (rows) => 4 + 4 * index + rows, models: ["double", "twice"] }),
    ),
  );
  closers.push(() => servers.forEach((server) => server.close()));
  const [base, ...others] = servers as [DoublingServer, ...DoublingServer[]];
  const folder = mkdtempSync(join(tmpdir(), "spillway-targets-"));
  const [config, record] = [join(folder, "queue.yaml"), join(folder, "record.ndjson")];
  const writeConfig = (edges: readonly DoublingServer[]): void =>
    writeFileSync(config, `edge:\n${[base, ...edges].map(({ url }) => `  - ${url}\n`).join("")}`);
  writeConfig(others.slice(0, 1));
  // On a busy machine everything takes seconds, and nobody may be late for that.
  const flags = [
    "--port",
    "0",
    "--slo",
    "10",
    "--calibrate",
    "0.3",
    "--no-serverless",
    "--call-timeout",
    "5",
  ];
  const child = spawn(
    process.execPath,
    [executable, "vqueue", "--config", config, "--record", record, "--log-level", "error", ...flags],
    { stdio: ["ignore", "inherit", "inherit", "ipc"] },
  );
  closers.push(() => child.kill("SIGKILL"));
  const [{ url }] = (await once(child, "message")) as [{ url: string }];

  const ends: Record<string, number> = {};
  const wrong: unknown[] = [];
  const untilMs = performance.now() + 1_000 * soakS;
  const call = async (id: number): Promise<void> => {
    const rows = 1 + (id % 3);
    const values = Array.from({ length: rows }, (_, row) => 10 * id + row);
    const inputs = [{ name: "x", datatype: "FP32", shape: [rows, 1], data: values }];
    const model = id % 2 === 0 ? "double" : "twice";
    const reply = await fetch(`${url}/v2/models/${model}/infer`, {
      method: "POST",
      body: JSON.stringify({ inputs }),
    });
    const body = (await reply.json()) as { outputs?: { data: number[] }[] };
    ends[reply.status] = (ends[reply.status] ?? 0) + 1;
    const isRight =
      JSON.stringify(body.outputs?.[0]?.data) === JSON.stringify(values.map((value) => 2 * value));
    if (reply.status !== 200 || !isRight) wrong.push({ id, status: reply.status, body });
  };
  let made = 0;
  const calling = Array.from({ length: callers }, async () => {
    while (performance.now() < untilMs) await call(made++);
  });

  const changes: Record<string, number> = {};
  const asked = async (method: string, path: string, body?: object): Promise<number> => {
    const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
    const reply = await fetch(`${url}/admin/targets${path}`, init);
    await reply.text();
    return reply.status;
  };
  while (performance.now() < untilMs) {
    await delay(changeEveryMs * (0.5 + random()));
    const kind = pick(["add", "add", "remove", "remove", "file", "models", "nobody"]);
    let told = "done";
    if (kind === "add") told = String(await asked("POST", "", { url: pick(others).url }));
    else if (kind === "nobody")
      told = String(await asked("POST", "", { url: "http://127.0.0.1:9", name: "nobody" }));
    else if (kind === "file") writeConfig(others.filter(() => random() < 0.4));
    else if (kind === "models") pick(others).models = pick([["double"], ["twice"], ["double", "twice"], []]);
    else {
      const { targets } = (await (await fetch(`${url}/admin/targets`)).json()) as { targets: Target[] };
      const names = targets.filter(({ source }) => source === "request").map(({ name }) => name);
      if (names.length > 0) told = String(await asked("DELETE", `/${pick(names)}`));
    }
    changes[`${kind} ${told}`] = (changes[`${kind} ${told}`] ?? 0) + 1;
  }
  await Promise.all(calling);
  child.kill("SIGTERM");
  await once(child, "exit");

  const run = parseRecord(readFileSync(record, "utf8"), record);
  const { difference, summary, decisions } = checkRecord(run, []);
  const strays = servers.map((server) => server.strays);
  const batches = servers.map((server) => server.batches.length);
  console.log(JSON.stringify({ seed, requests: made, ends, changes, batches, strays, decisions }));
  expect(wrong).toEqual([]);
  expect(difference).toBeUndefined();
  expect(summary.requests).toMatchObject({ arrived: made, open: 0, served: made });
  expect(batches.every((count) => count > 0)).toBe(true);
});
