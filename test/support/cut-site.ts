/**
 * A site behind a leaf node whose uplink fails: a nats-server of its own with a daemon and an edge, and on the other side of
 * the uplink a hub with the same, and a function that both sides call. All of it is on this machine.
 */
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import type { RunningProgram } from "../contract/running-program.ts";
import { startProgram } from "../contract/running-program.ts";
import { type CutProxy, startCutProxy } from "./cut-proxy.ts";
import { type DoublingServer, doublingServer } from "./doubling-server.ts";
import { freePorts } from "./free-ports.ts";
import { askDouble, askModel, type Doubled } from "./joined-daemons.ts";
import { type NatsProgram, type NatsServer, startNats } from "./nats-server.ts";

export class CutSite {
  readonly #ends: (() => Promise<unknown> | void)[] = [];
  readonly #uplinks: CutProxy[] = [];
  #hub: NatsServer | undefined;
  #site: NatsServer | undefined;
  #siteEdge: DoublingServer | undefined;
  #hubEdge: DoublingServer | undefined;
  #cloud: DoublingServer | undefined;
  readonly #hasFunction: boolean;
  readonly #program: NatsProgram | undefined;
  /** How long a batch takes, in milliseconds; it may be changed at any time. */
  readonly serviceMs = { site: 2, hub: 2, cloud: 2 };
  atSite: RunningProgram | undefined;
  atHub: RunningProgram | undefined;

  /** @param options `program`: the newest one by default */
  constructor(options: { readonly hasFunction?: boolean; readonly program?: NatsProgram | undefined } = {}) {
    this.#hasFunction = options.hasFunction ?? true;
    this.#program = options.program;
  }

  async start(...siteFlags: string[]): Promise<void> {
    const [leafPort = 0] = await freePorts(1);
    const uplink = await this.#uplink(leafPort);
    // Leaf nodes connect anew to what the hub tells of itself, which must be the uplink too.
    const leafnodes = `listen: "127.0.0.1:${leafPort}", advertise: "127.0.0.1:${uplink}"`;
    this.#hub = await startNats({
      program: this.#program,
      domain: "hub",
      lines: [`leafnodes { ${leafnodes} }`],
    });
    this.#ends.push(() => this.#hub?.stop());
    const remote = `nats://127.0.0.1:${uplink}`;
    this.#site = await startNats({
      program: this.#program,
      domain: "site",
      lines: [`leafnodes { remotes: [{ url: "${remote}" }], reconnect: 1 }`],
    });
    this.#ends.push(() => this.#site?.stop());
    this.#siteEdge = await this.#server("site", ["double"]);
    this.#hubEdge = await this.#server("hub", ["double", "far"]);
    this.#cloud = await this.#server("cloud", ["double", "cloudy"]);
    const cloud = `http://127.0.0.1:${await this.#uplink(Number(new URL(this.#cloud.url).port))}`;
    const start = async (nats: NatsServer, edge: DoublingServer, ...flags: string[]) => {
      const all = ["--edge", edge.url, "--calibrate", "0", "--join", nats.address, ...flags];
      const daemon = await startProgram("vqueue", all);
      this.#ends.push(() => daemon.stop());
      return daemon;
    };
    this.atHub = await start(this.#hub, this.#hubEdge, "--no-serverless");
    const functions = this.#hasFunction ? ["--functions", `cloud=0.5x1024@${cloud}`] : ["--no-serverless"];
    this.atSite = await start(this.#site, this.#siteEdge, ...functions, "--call-timeout", "5", ...siteFlags);
  }

  get site(): NatsServer {
    return this.#site as NatsServer;
  }

  get hub(): NatsServer {
    return this.#hub as NatsServer;
  }

  cut(): void {
    for (const uplink of this.#uplinks) {
      uplink.isClosed = true;
      uplink.cut();
    }
  }

  mend(): void {
    for (const uplink of this.#uplinks) uplink.isClosed = false;
  }

  /** Rows that each has answered. */
  get rows(): { readonly site: number; readonly hub: number; readonly cloud: number } {
    const of = (server: DoublingServer | undefined): number =>
      (server?.batches ?? []).reduce((sum, rows) => sum + rows, 0);
    return { site: of(this.#siteEdge), hub: of(this.#hubEdge), cloud: of(this.#cloud) };
  }

  askSite(value: number): Promise<Doubled> {
    return askDouble(this.atSite?.url ?? "", value);
  }

  askHub(value: number): Promise<Doubled> {
    return askDouble(this.atHub?.url ?? "", value);
  }

  /** What only the hub's edge serves. */
  askFar(value: number, withinMs: number): Promise<Doubled> {
    return askModel(this.atSite?.url ?? "", "far", value, 1_000 * withinMs);
  }

  /** What only the function serves. */
  askCloud(value: number, withinMs: number): Promise<Doubled> {
    return askModel(this.atSite?.url ?? "", "cloudy", value, 1_000 * withinMs);
  }

  /** Has rows doubled as a job; resolves with its id. */
  async startJob(values: readonly number[]): Promise<string> {
    const { url = "" } = this.atSite ?? {};
    const body = JSON.stringify({
      inputs: [{ name: "x", datatype: "FP32", shape: [values.length, 1], data: values }],
    });
    const started = await fetch(`${url}/v2/models/double/jobs`, { method: "POST", body });
    return ((await started.json()) as { readonly id: string }).id;
  }

  /** The answers of a job in order of its rows, once it has ended. */
  async jobAnswers(id: string): Promise<number[]> {
    const url = `${this.atSite?.url}/v2/models/double/jobs/${id}`;
    const headers = { accept: "application/x-ndjson" };
    const lines = (await (await fetch(url, { headers })).text()).trim().split("\n");
    return lines
      .map((line) => JSON.parse(line) as { row: number; outputs?: { data: number[] }[] })
      .toSorted((a, b) => a.row - b.row)
      .flatMap(({ outputs }) => outputs?.[0]?.data ?? []);
  }

  async close(): Promise<void> {
    for (const end of this.#ends.splice(0).toReversed()) await end();
  }

  async #server(place: keyof typeof this.serviceMs, models: readonly string[]): Promise<DoublingServer> {
    const server = await doublingServer({ serviceMs: () => this.serviceMs[place], models });
    this.#ends.push(() => server.close());
    return server;
  }

  async #uplink(to: number): Promise<number> {
    const proxy = await startCutProxy(to);
    this.#uplinks.push(proxy);
    this.#ends.push(() => proxy.stop());
    return proxy.port;
  }
}

export interface CutReport {
  /** Of requests that the site serves by itself, those that were answered wrongly or not at all, of so many. */
  readonly local: number;
  readonly localWrong: readonly Doubled[];
  /** Statuses of requests for the cloud whose deadline was within the cut. */
  readonly refused: readonly number[];
  /** Answers to requests for the cloud that had time, halved, and how long after the cut's end the last one took. */
  readonly late: readonly number[];
  readonly backAfterMs: number;
  readonly jobAnswers: readonly number[];
  /** Rows that were done by anybody since the cut began. */
  readonly rows: number;
}

export const cutPlan = { late: 5, refused: 5, jobRows: 50 } as const;

/**
 * Cuts the uplink for a while, asks and starts a job meanwhile, and waits until all is answered.
 *
 * @param askAway asks for what is beyond the uplink. Default: of the function
 */
export async function runCut(
  world: CutSite,
  cutMs: number,
  askAway = (value: number, withinMs: number) => world.askCloud(value, withinMs),
): Promise<CutReport> {
  const before = world.rows;
  const startedAtMs = performance.now();
  world.cut();
  const job = await world.startJob(Array.from({ length: cutPlan.jobRows }, (_, index) => index + 1));
  const late = Array.from({ length: cutPlan.late }, (_, index) => askAway(1_000 + index, cutMs + 20_000));
  const refused = Array.from({ length: cutPlan.refused }, (_, index) =>
    askAway(2_000 + index, Math.min(1_000, cutMs / 2)),
  );
  const localWrong: Doubled[] = [];
  let local = 0;
  do {
    const value = ++local;
    const answer = await world.askSite(value);
    if (answer.value !== 2 * value) localWrong.push(answer);
    await delay(20);
  } while (performance.now() < startedAtMs + cutMs);
  const statuses = (await Promise.all(refused)).map(({ status }) => status);
  const mendedAtMs = performance.now();
  world.mend();
  const answers = (await Promise.all(late)).map(({ value }) => value / 2);
  const backAfterMs = performance.now() - mendedAtMs;
  const jobAnswers = await world.jobAnswers(job);
  const after = world.rows;
  const sum = ({ site, hub, cloud }: CutSite["rows"]): number => site + hub + cloud;
  const rows = sum(after) - sum(before);
  return { local, localWrong, refused: statuses, late: answers, backAfterMs, jobAnswers, rows };
}

/** Everything local was answered, what had time too, the rest was refused by its deadline, and nothing was done twice. */
export function expectWhole(report: CutReport): void {
  const { late, refused, jobRows } = cutPlan;
  expect(report.localWrong).toEqual([]);
  expect(report.refused.filter((status) => status !== 502 && status !== 503 && status !== 504)).toEqual([]);
  expect(report.refused).toHaveLength(refused);
  expect(report.late).toEqual(Array.from({ length: late }, (_, index) => 1_000 + index));
  expect(report.jobAnswers).toEqual(Array.from({ length: jobRows }, (_, index) => 2 * (index + 1)));
  expect(report.rows).toBe(report.local + late + jobRows);
}
