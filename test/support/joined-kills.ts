/**
 * Three daemons, two edges, a function host and a nats-server as processes, each of which is killed in an order that a seed
 * draws (the server twice), while requests of unique content go to any daemon. A caller that is told to retry does.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Agent, request } from "undici";
import { seededRandom } from "../../base/random.ts";
import { freePorts } from "./free-ports.ts";
import type { NatsServer } from "./nats-server.ts";
import type { OutageRig, Program } from "./outage-rig.ts";

export interface KillPlan {
  readonly seed: number;
  readonly requests: number;
  /** Requests under way at once. */
  readonly callers: number;
  /** Kills in which order: all of them, or the first few. */
  readonly kills: number;
  /** Jobs beside them, and rows of each. */
  readonly jobs: number;
  readonly jobRows: number;
}

export interface KillReport {
  readonly killed: readonly string[];
  /** Requests with the right answer. */
  readonly right: number;
  /** Answers that are not their request's. */
  readonly wrong: readonly string[];
  /** Requests that never had an answer, and the last that they were told. */
  readonly lost: readonly string[];
  /** How often callers were told to retry, by what they were told. */
  readonly retries: Readonly<Record<string, number>>;
  /** Rows of jobs with the right answer, in their place, once. */
  readonly jobRows: number;
  readonly seconds: number;
}

const daemonFlags = [
  "--calibrate",
  "0",
  "--slo",
  "30",
  "--functions",
  "small=0.5x1024",
  "--call-timeout",
  "5",
];
/** A caller gives up after so many tries. */
const mostTries = 60;

export class JoinedWorld {
  readonly #rig: OutageRig;
  readonly #nats: NatsServer;
  readonly #daemons: string[] = [];
  readonly #programs = new Map<string, Program>();
  readonly #starts = new Map<string, () => Promise<Program>>();

  constructor(rig: OutageRig, nats: NatsServer) {
    this.#rig = rig;
    this.#nats = nats;
  }

  get daemons(): readonly string[] {
    return this.#daemons;
  }

  async start(): Promise<void> {
    const ports = await freePorts(6);
    const [edgeA = 0, edgeB = 0, functions = 0, ...daemons] = ports;
    const url = (port: number): string => `http://127.0.0.1:${port}`;
    this.#starts.set("edge a", () => this.#rig.edge(edgeA));
    this.#starts.set("edge b", () => this.#rig.edge(edgeB));
    this.#starts.set("function host", () => this.#rig.functions("--port", `${functions}`));
    for (const [index, port] of daemons.entries()) {
      const edges = ["--edge", url(edgeA), "--edge", url(edgeB), "--fc-endpoint", url(functions)];
      const flags = ["--port", `${port}`, ...edges, ...daemonFlags, "--join", this.#nats.address];
      this.#starts.set(`daemon ${index}`, () => this.#rig.start("vqueue", ...flags));
      this.#daemons.push(url(port));
    }
    for (const group of [/edge|function/, /daemon/])
      await Promise.all(
        [...this.#starts].filter(([name]) => group.test(name)).map(async ([name]) => this.#begin(name)),
      );
  }

  /** Kills, and starts again after a while. */
  async killAndStart(name: string, awayMs: number): Promise<void> {
    if (name.startsWith("nats")) {
      await this.#nats.end("SIGKILL");
      await delay(awayMs);
      await this.#nats.start();
      return;
    }
    this.#programs.get(name)?.signal("SIGKILL");
    await delay(awayMs);
    await this.#begin(name);
  }

  /** Every process, and the server twice. */
  get names(): string[] {
    return [...this.#starts.keys(), "nats once", "nats twice"];
  }

  async #begin(name: string): Promise<void> {
    this.#programs.set(name, await (this.#starts.get(name) as () => Promise<Program>)());
  }
}

export async function runKills(world: JoinedWorld, plan: KillPlan): Promise<KillReport> {
  const { seed, requests, callers, kills, jobs, jobRows } = plan;
  const [ofKills, ofCallers] = [seededRandom(seed), seededRandom(seed + 1_000)];
  const agent = new Agent({ connections: callers, headersTimeout: 90_000, bodyTimeout: 90_000 });
  const names = shuffled(world.names, ofKills).slice(0, kills);
  const killed: string[] = [];
  const wrong: string[] = [];
  const lost: string[] = [];
  const retries: Record<string, number> = {};
  let [next, right] = [0, 0];
  const startedAtMs = performance.now();
  const ask = async (nth: number): Promise<void> => {
    let told = "";
    for (let attempt = 0; attempt < mostTries; attempt++) {
      const url = world.daemons[Math.floor(ofCallers() * world.daemons.length)] as string;
      const answer = await askOnce(agent, url, nth);
      if (answer === "right") {
        right++;
        return;
      }
      if (answer.startsWith("wrong")) {
        wrong.push(answer);
        return;
      }
      told = answer;
      retries[told] = (retries[told] ?? 0) + 1;
      await delay(Math.min(2_000, 100 * 2 ** attempt));
    }
    lost.push(`request ${nth}: ${told}`);
  };
  const caller = async (): Promise<void> => {
    for (let nth = next++; nth < requests; nth = next++) await ask(nth);
  };
  const killer = async (): Promise<void> => {
    for (const [index, name] of names.entries()) {
      // Each in its share of the requests, so that the load is the same on any machine.
      while (next < ((index + 0.5) / names.length) * requests * 0.9) await delay(50);
      killed.push(name);
      await world.killAndStart(name, 300 + ofKills() * 1_500);
    }
  };
  const ofJobs = Array.from({ length: jobs }, (_, nth) => runJob(agent, world, nth, jobRows, wrong));
  await Promise.all([killer(), ...Array.from({ length: callers }, caller)]);
  const rightRows = (await Promise.all(ofJobs)).reduce((sum, rows) => sum + rows, 0);
  await agent.close();
  const seconds = (performance.now() - startedAtMs) / 1_000;
  return { killed, right, wrong, lost, retries, jobRows: rightRows, seconds };
}

/** Four values that no other request has; the model gives them back. */
async function askOnce(agent: Agent, url: string, nth: number): Promise<string> {
  const data = [0, 1, 2, 3].map((part) => nth * 4 + part);
  const body = JSON.stringify({
    id: `${nth}`,
    inputs: [{ name: "x", datatype: "FP32", shape: [1, 4], data }],
  });
  try {
    const path = `${url}/v2/models/timed/infer`;
    const answer = await request(path, { method: "POST", body, dispatcher: agent });
    const json = (await answer.body.json()) as {
      readonly id?: string;
      readonly outputs?: readonly { readonly data: readonly number[] }[];
    };
    if (answer.statusCode !== 200) {
      // A caller may come again after these; anything else says that the request is at fault, which it is not.
      const isRetry = [429, 500, 502, 503, 504].includes(answer.statusCode);
      return isRetry
        ? `status ${answer.statusCode}`
        : `wrong: status ${answer.statusCode} ${JSON.stringify(json)}`;
    }
    const own = json.outputs?.[0]?.data ?? [];
    const isRight = json.id === `${nth}` && data.every((value, index) => value === own[index]);
    return isRight && own.length === 4 ? "right" : `wrong: request ${nth} got ${JSON.stringify(json)}`;
  } catch {
    return "no connection";
  }
}

/** Submits a job until some daemon takes it, and reads its results by its id, from whichever daemon is there. */
async function runJob(
  agent: Agent,
  world: JoinedWorld,
  nth: number,
  rows: number,
  wrong: string[],
): Promise<number> {
  const valueOf = (row: number): number => -(nth * rows + row + 1);
  const lines = Array.from({ length: rows }, (_, row) => {
    const data = [0, 1, 2, 3].map(() => valueOf(row));
    return JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 4], data }] });
  });
  const any = (attempt: number): string => world.daemons[(nth + attempt) % world.daemons.length] as string;
  const told = async (url: string, body?: string): Promise<Record<string, unknown> | undefined> => {
    try {
      const headers = { "content-type": "application/x-ndjson" };
      const sent = body === undefined ? {} : { method: "POST" as const, body, headers };
      const answer = await request(url, { dispatcher: agent, ...sent });
      const json = (await answer.body.json()) as Record<string, unknown>;
      return answer.statusCode < 300 ? json : undefined;
    } catch {
      return undefined;
    }
  };
  let path: string | undefined;
  for (let attempt = 0; path === undefined && attempt < 10 * mostTries; attempt++) {
    path = (await told(`${any(attempt)}/v2/models/timed/jobs`, lines.join("\n")))?.["url"] as string;
    if (path === undefined) await delay(500);
  }
  for (let attempt = 0; attempt < 10 * mostTries; attempt++) {
    const job = await told(`${any(attempt)}${path}?limit=10000`);
    if (job !== undefined && job["state"] !== "running") {
      const results = job["results"] as { row: number; outputs?: { data: number[] }[] }[];
      const isRight = (row: number): boolean =>
        results[row]?.row === row && results[row]?.outputs?.[0]?.data[0] === valueOf(row);
      const bad = Array.from({ length: rows }, (_, row) => row).filter((row) => !isRight(row));
      if (bad.length > 0 || results.length !== rows)
        wrong.push(
          `job ${nth}: ${results.length} lines, ${String(job["state"])}, row ${bad[0]}: ${JSON.stringify(results[bad[0] ?? 0])}`,
        );
      return rows - bad.length;
    }
    await delay(500);
  }
  wrong.push(`job ${nth}: it did not end`);
  return 0;
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const left = [...items];
  return items.map(() => left.splice(Math.floor(random() * left.length), 1)[0] as T);
}
