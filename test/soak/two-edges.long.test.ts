/**
 * A queue before two edges and functions of two sizes, with people and an archive as callers, while edges are slowed,
 * stopped, killed and started again, a link is thinned and functions are throttled, in an order that a seed draws. Every
 * accepted request ends once, with its own rows in order; the record replays to the same decisions.
 * SPILLWAY_SEEDS: how many seeds (default 20), SPILLWAY_SEED: the first (default 1), SPILLWAY_SOAK_S: seconds of each (30).
 */
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { Agent, request } from "undici";
import { afterAll, afterEach, expect, it } from "vitest";
import { type Random, seededRandom } from "../../base/random.ts";
import { policyWith } from "../../replay/peers/registry.ts";
import { parseRecord, replayRecord } from "../../replay/records/recorded-run.ts";
import { recordedWorld } from "../../replay/records/recorded-world.ts";
import { replayTrace } from "../../replay/run.ts";
import { eventually } from "../support/built.ts";
import { freePorts } from "../support/free-ports.ts";
import { OutageRig, type Program, type Relay } from "../support/outage-rig.ts";

const seeds = Number(process.env["SPILLWAY_SEEDS"] ?? 20);
const firstSeed = Number(process.env["SPILLWAY_SEED"] ?? 1);
const seconds = Number(process.env["SPILLWAY_SOAK_S"] ?? 30);
const lanes = "realtime=1,bulk=20";

const rig = new OutageRig();
afterEach(() => rig.close());
afterAll(() => rig.removeFiles());

interface Ended {
  readonly lane: string;
  readonly status: number;
  readonly ms: number;
  /** What is wrong with an answer; undefined: nothing. */
  readonly fault: string | undefined;
}

const agent = new Agent({ connections: 512, headersTimeout: 60_000, bodyTimeout: 60_000 });
afterAll(() => agent.close());

/** Four values for each row that no other request has; the model gives them back. */
async function ask(url: string, lane: string, rows: number, nth: number): Promise<Ended> {
  const data = Array.from({ length: 4 * rows }, (_, index) => nth + index / 1_024);
  const body = JSON.stringify({
    id: `${nth}`,
    inputs: [{ name: "x", datatype: "FP32", shape: [rows, 4], data }],
  });
  const startedAtMs = performance.now();
  const end = (status: number, fault?: string): Ended => {
    return { lane, status, ms: performance.now() - startedAtMs, fault };
  };
  try {
    const headers = { "spillway-lane": lane, "spillway-tenant": `t${nth % 3}` };
    const path = `${url}/v2/models/timed/infer`;
    const answer = await request(path, { method: "POST", body, headers, dispatcher: agent });
    const json = (await answer.body.json()) as {
      id?: string;
      error?: string;
      outputs?: { data: number[] }[];
    };
    if (answer.statusCode !== 200)
      return end(answer.statusCode, json.error === undefined ? "an error without a reason" : undefined);
    const own = json.outputs?.[0]?.data ?? [];
    const isRight =
      json.id === `${nth}` &&
      own.length === data.length &&
      data.every((value, index) => Math.fround(value) === Math.fround(own[index] as number));
    return end(200, isRight ? undefined : `request ${nth} got the rows of others`);
  } catch (error) {
    return end(0, `no answer: ${String(error)}`);
  }
}

interface World {
  readonly startEdge: () => Promise<Program>;
  edge: Program;
  readonly far: Program;
  readonly link: Relay;
  readonly functions: Program;
}

/** Each does something, and undoes it after that time. */
const troubles: Readonly<Record<string, (world: World, forMs: number) => Promise<void>>> = {
  "the near edge stops": async ({ edge }, forMs) => {
    edge.signal("SIGSTOP");
    await delay(forMs);
    edge.signal("SIGCONT");
  },
  "the near edge is killed and started again": async (world, forMs) => {
    world.edge.signal("SIGKILL");
    await delay(forMs);
    world.edge = await world.startEdge();
  },
  "the far edge stops": async ({ far }, forMs) => {
    far.signal("SIGSTOP");
    await delay(forMs);
    far.signal("SIGCONT");
  },
  "the far link hangs": async ({ link }, forMs) => {
    link.mode = "hang";
    await delay(forMs);
    link.mode = "reset";
    await delay(50);
    link.mode = "forward";
  },
  "the far link is thin": async ({ link }, forMs) => {
    link.mode = "slow";
    await delay(forMs);
    link.mode = "forward";
  },
  "the far edge is not available": async ({ link }, forMs) => {
    link.mode = "unavailable";
    await delay(forMs);
    link.mode = "forward";
  },
  "functions are throttled": async ({ functions }, forMs) => {
    const body = JSON.stringify({ throttle: 1, seconds: 60 });
    await fetch(`${functions.url}/admin/faults`, { method: "POST", body });
    await delay(forMs);
    await fetch(`${functions.url}/admin/faults`, { method: "DELETE" });
  },
};

async function trouble(world: World, random: Random, untilMs: number, log: string[]): Promise<void> {
  const names = Object.keys(troubles);
  await delay(2_000);
  while (performance.now() < untilMs - 6_000) {
    const name = names[Math.floor(random() * names.length)] as string;
    const forMs = 500 + random() * 2_500;
    log.push(name);
    await troubles[name]?.(world, forMs);
    await delay(500 + random() * 1_500);
  }
}

const share = (ends: readonly Ended[], lane: string, sloMs: number): number => {
  const own = ends.filter((each) => each.lane === lane);
  return own.filter(({ status, ms }) => status === 200 && ms <= sloMs).length / own.length;
};

it.each(Array.from({ length: seeds }, (_, index) => firstSeed + index))(
  "loses, mixes up and repeats no request, whatever happens to edges and functions (seed %d)",
  async (seed) => {
    // Each has draws of its own, so that the order of troubles is the seed's, however fast the machine sends.
    const [random, ofTroubles] = [seededRandom(seed), seededRandom(1_000 + seed)];
    const [port] = (await freePorts(1)) as [number];
    const menu = ["--functions", "small=0.5x1024,large=2x4096"];
    const startEdge = (): Promise<Program> => rig.edge(port);
    const [edge, far, functions] = await Promise.all([startEdge(), rig.edge(), rig.functions(...menu)]);
    const link = await rig.relay(far.url);
    const record = `${rig.models}-${seed}.ndjson`;
    const targets = [
      "--edge",
      edge.url,
      "--edge",
      `far=${link.url}`,
      "--fc-endpoint",
      functions.url,
      ...menu,
    ];
    const flags = ["--slo", "1", "--lanes", lanes, "--calibrate", "6", "--models", "timed"];
    const queue = await rig.start("vqueue", "--port", "0", ...targets, ...flags, "--record", record);
    const world: World = { startEdge, edge, far, link, functions };
    const untilMs = performance.now() + seconds * 1_000;
    const happened: string[] = [];
    const troubled = trouble(world, ofTroubles, untilMs, happened);
    const ends: Promise<Ended>[] = [];
    let nth = 0;
    let bulkAtMs = 0;
    while (performance.now() < untilMs) {
      ends.push(ask(queue.url, "realtime", 1, nth++));
      if (performance.now() > bulkAtMs) {
        ends.push(ask(queue.url, "bulk", 20 + Math.floor(random() * 100), nth++));
        bulkAtMs = performance.now() + 350;
      }
      await delay(5 + random() * 20);
    }
    const all = await Promise.all(ends);
    await troubled;
    queue.signal("SIGTERM");
    await eventually(async () => {
      await expect(fetch(`${queue.url}/v2/health/live`)).rejects.toThrow();
    });
    expect(all.flatMap(({ fault }) => fault ?? [])).toEqual([]);
    for (const { status } of all) expect([200, 503, 504, 429]).toContain(status);

    const recorded = parseRecord(readFileSync(record, "utf8"), record);
    expect(JSON.parse(JSON.stringify(replayRecord(recorded)))).toEqual(recorded.outputs);
    const ended = recorded.outputs.filter(({ kind }) => kind === "end");
    expect(new Set(ended.map((each) => (each as { id: number }).id)).size).toBe(ended.length);
    const cost = recorded.inputs.reduce(
      (sum, each) => sum + (each.kind === "result" ? (each.cost ?? 0) : 0),
      0,
    );
    const { trace, scenario, sheet } = recordedWorld(recorded, record);
    const others: string[] = [];
    for (const name of ["spillway", "fixed", "edge-only"] as const) {
      const range = { seed: 1, fromS: 0, toS: Infinity, scale: 1 };
      const summary = await replayTrace({ ...range, trace, scenario, sheet, policy: policyWith(name) });
      const realtime = summary.lanes?.["realtime"]?.share ?? Number.NaN;
      others.push(`${name} ${(100 * realtime).toFixed(1)} % for ${summary.cost.toFixed(5)}`);
    }
    console.log(
      `seed ${seed}: ${happened.join(", ")}\n` +
        `  real time in SLO ${(100 * share(all, "realtime", 1_000)).toFixed(1)} %, bulk` +
        ` ${(100 * share(all, "bulk", 20_000)).toFixed(1)} %, ${cost.toFixed(5)} ${sheet.currency};` +
        ` the same arrivals without trouble: ${others.join("; ")}`,
    );
  },
  (seconds + 120) * 1_000,
);
