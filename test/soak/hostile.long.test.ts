/**
 * Everybody misbehaves at once: callers with names, parameters and shapes of their own, broken bodies, callers who do not
 * read or write slowly, an edge that answers anything, and one whose connections die. The programs keep their memory and
 * their descriptors, and every request ends once. SPILLWAY_SOAK_S is how long it takes, in seconds (default 600).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream, mkdtempSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { Agent, request } from "undici";
import { expect, it } from "vitest";
import { median } from "simple-statistics";
import { seededRandom } from "../../base/random.ts";
import { conformanceRepository } from "../contract/conformance-models.ts";
import { eventually, executable } from "../support/built.ts";
import { dyingRelay, hostileEdge } from "../support/hostile-servers.ts";
import { childrenOf, descriptorsOf, memoryMibOf } from "../support/program-health.ts";
import { closers } from "../support/wired-targets.ts";

const soakS = Number(process.env["SPILLWAY_SOAK_S"] ?? 600);
const seed = Number(process.env["SPILLWAY_SEED"] ?? Date.now() % 1_000_000);
/** By then a program has what it needs; in a short run everything takes its part of the time. */
const warmS = Math.min(60, soakS / 3);
const growth = 1.2;
/** Connections that a queue may keep to its edges: for calls, and for questions. */
const edgeCalls = 4;
const keptConnections = 2 * (edgeCalls + 8);

interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly port: number;
}

async function started(...args: readonly string[]): Promise<Running> {
  const child = spawn(process.execPath, [executable, ...args, "--port", "0", "--log-level", "error"], {
    stdio: ["ignore", "inherit", "ignore", "ipc"],
  });
  closers.push(() => Promise.resolve(child.kill("SIGKILL")));
  const [{ url }] = (await once(child, "message")) as [{ url: string }];
  return { child, pid: child.pid as number, port: Number(new URL(url).port) };
}

/** One caller after another of each kind, until the end. Each of them ends by itself. */
class Callers {
  readonly ends: Record<string, number> = {};
  readonly #agent = new Agent({ connections: 64, bodyTimeout: 60_000, headersTimeout: 60_000 });
  readonly #port: number;
  readonly #random: () => number;
  #made = 0;

  constructor(port: number, random: () => number) {
    this.#port = port;
    this.#random = random;
  }

  async run(untilMs: number): Promise<void> {
    const kinds: readonly (readonly [number, () => Promise<void>])[] = [
      [8, () => this.#request()],
      [2, () => this.#unknownModel()],
      [4, () => this.#brokenBody()],
      [4, () => this.#slowReader()],
      [4, () => this.#slowWriter()],
    ];
    const loops = kinds.flatMap(([atOnce, call]) =>
      Array.from({ length: atOnce }, async () => {
        while (performance.now() < untilMs) await call();
      }),
    );
    await Promise.all(loops);
    await this.#agent.destroy();
  }

  #count(end: string): void {
    this.ends[end] = (this.ends[end] ?? 0) + 1;
  }

  /** A request with a shape, parameters and a tenant of its own. */
  #body(columns = 1 + Math.floor(this.#random() * 64)): string {
    const nth = this.#made++;
    const parameters = { [`p${nth}`]: "x".repeat(1_000), timeout: 2_000_000 };
    const data = Array.from({ length: columns }, () => this.#random());
    const input = { name: "IN_FP32", datatype: "FP32", shape: [1, columns], data };
    return JSON.stringify({ id: `r${nth}`, parameters, inputs: [input] });
  }

  async #post(model: string, body: string): Promise<number> {
    const url = `http://127.0.0.1:${this.#port}/v2/models/${model}/infer`;
    const headers = { "x-tenant": `tenant-${this.#made}` };
    const reply = await request(url, { method: "POST", body, headers, dispatcher: this.#agent });
    await reply.body.dump();
    return reply.statusCode;
  }

  async #request(): Promise<void> {
    this.#count(`status ${await this.#post("identity", this.#body())}`);
  }

  async #unknownModel(): Promise<void> {
    const status = await this.#post(`unknown-${this.#made}-${"x".repeat(100)}`, this.#body());
    expect(status).toBeGreaterThanOrEqual(400);
    this.#count("unknown model");
    await delay(20);
  }

  async #brokenBody(): Promise<void> {
    const body = this.#body();
    const half = body.slice(0, body.length / 2);
    const kinds: readonly (readonly [text: string, length: number])[] = [
      [half, body.length],
      [half, half.length - 1],
      ["[".repeat(100_000), 100_000],
      ["\0".repeat(1_000), 1_000],
    ];
    const [text, length] = kinds[Math.floor(this.#random() * kinds.length)] ?? [half, body.length];
    await this.#raw(text, length, 50 + 100 * this.#random());
    this.#count("broken body");
  }

  /** Never reads what may be a large answer. */
  async #slowReader(): Promise<void> {
    const body = this.#body(20_000);
    await this.#raw(body, body.length, 2_000, true);
    this.#count("slow reader");
  }

  async #slowWriter(): Promise<void> {
    const socket = connect(this.#port, "127.0.0.1").on("error", () => {});
    for (const letter of "POST /v2/models/identity/infer HTTP/1.1\r\n") {
      socket.write(letter);
      await delay(20);
    }
    socket.destroy();
    this.#count("slow writer");
  }

  async #raw(body: string, length: number, forMs: number, isDeaf = false): Promise<void> {
    const socket = connect(this.#port, "127.0.0.1").on("error", () => {});
    if (isDeaf) socket.pause();
    else socket.resume();
    const head = `POST /v2/models/identity/infer HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${length}`;
    socket.write(`${head}\r\n\r\n${body}`);
    await delay(forMs);
    socket.destroy();
  }
}

/** How often each request of a record ended. */
async function endsIn(record: string): Promise<ReadonlyMap<number, number>> {
  const ends = new Map<number, number>();
  for await (const line of createInterface({ input: createReadStream(record) })) {
    const { kind, id } = JSON.parse(line) as { kind: string; id: number };
    if (kind === "arrival") ends.set(id, 0);
    if (kind === "end") ends.set(id, (ends.get(id) ?? 0) + 1);
  }
  return ends;
}

it(
  `keeps memory and descriptors, and ends every request once, seed ${seed}`,
  { timeout: (soakS + 180) * 1_000 },
  async () => {
    const random = seededRandom(seed);
    const edge = await started("edge", "--models", conformanceRepository(), "--load", "identity");
    const relay = await dyingRelay(edge.port);
    closers.push(() => Promise.resolve(relay.close()));
    const record = join(mkdtempSync(join(tmpdir(), "spillway-soak-")), "record.jsonl");
    const targets = ["--edge", `dying=${relay.url}`, "--edge", `hostile=${await hostileEdge(random)}`];
    const bounds = ["--edge-calls", String(edgeCalls), "--max-mib", "64", "--max-answer-mib", "4"];
    const policy = ["--policy", "fixed", "--edge-batch", "4", "--timeout", "0.02", "--call-timeout", "1"];
    const flags = ["--no-serverless", "--slo", "2", "--record", record, ...bounds, ...policy];
    const queue = await started("vqueue", ...targets, ...flags);

    const descriptors = { queue: descriptorsOf(queue.pid), edge: descriptorsOf(edge.pid) };
    const pids = { queue: queue.pid, edge: edge.pid, replica: childrenOf(edge.pid)[0] ?? edge.pid };
    const names = Object.keys(pids) as (keyof typeof pids)[];
    const samples = Object.fromEntries(names.map((name) => [name, [] as number[]]));
    const beganAtMs = performance.now();
    const untilMs = beganAtMs + soakS * 1_000;
    const callers = new Callers(queue.port, random);
    const calling = callers.run(untilMs);
    for (let second = 0; performance.now() < untilMs; second++) {
      await delay(1_000);
      for (const name of names) samples[name]?.push(memoryMibOf(pids[name]));
      if (second % 5 === 4) relay.die(1_000 * random());
    }
    await calling;

    for (const name of names) {
      const all = samples[name] ?? [];
      const warm = Math.max(...all.slice(0, Math.ceil(warmS)));
      const last = median(all.slice(-Math.ceil(warmS / 2)));
      console.log(`${name}: ${warm.toFixed(0)} MiB after ${warmS} s, ${last.toFixed(0)} MiB at the end`);
      expect([name, last <= growth * warm]).toEqual([name, true]);
    }
    console.log(JSON.stringify(callers.ends));
    expect(callers.ends["status 200"]).toBeGreaterThan(0);
    await eventually(() => {
      expect(descriptorsOf(queue.pid)).toBeLessThanOrEqual(descriptors.queue + keptConnections);
      expect(descriptorsOf(edge.pid)).toBeLessThanOrEqual(descriptors.edge + keptConnections);
    });
    queue.child.kill("SIGTERM");
    expect(await once(queue.child, "exit")).toEqual([0, null]);
    const ends = [...(await endsIn(record)).values()];
    expect(ends.length).toBeGreaterThan(0);
    expect(ends.filter((count) => count !== 1)).toEqual([]);
  },
);
