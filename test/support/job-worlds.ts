/** Keepers of jobs over a small daemon that doubles its rows: in memory, or joined over a real server. */
import { expect } from "vitest";
import { type Engine, joinNats } from "../../base/nats/engine.ts";
import { natsAddress } from "../../base/nats/nats-address.ts";
import { DurableJobs } from "../../client/daemon/ingress/jetstream/jobs/durable-jobs.ts";
import { readJobBody } from "../../client/daemon/ingress/jobs/job-body.ts";
import type { JobBook, JobView } from "../../client/daemon/ingress/jobs/job-book.ts";
import { Jobs } from "../../client/daemon/ingress/jobs/jobs.ts";
import { codecHere } from "../../protocol/server/message-codec.ts";
import { tensorFromNumbers, tensorToNumbers } from "../../protocol/tensor.ts";
import { type NatsProgram, type NatsServer, startNats } from "./nats-server.ts";
import { type SmallDaemon, type SmallDaemonOptions, smallDaemon } from "./small-daemon.ts";

const silent = { info: () => {}, warn: () => {}, error: () => {} };
export const jobBounds = {
  mostJobs: 100,
  mostBytes: 2 ** 24,
  keepMs: 60_000,
  timeoutMs: 20_000,
  mostRows: 64,
};
const metadata = {
  name: "double",
  versions: ["1"],
  inputs: [{ name: "x", datatype: "FP32", shape: [-1, 1] }],
  outputs: [{ name: "y", datatype: "FP32", shape: [-1, 1] }],
} as unknown as SmallDaemonOptions["metadata"];

/** Doubles its rows, and refuses those of 13. */
const serve: SmallDaemonOptions["serve"] = ({ inputs }) => {
  const [x] = inputs as [(typeof inputs)[number]];
  const values = [...tensorToNumbers(x)];
  if (values.includes(13)) return { status: 400, error: "13 is unlucky" };
  if (values.includes(99))
    return [
      tensorFromNumbers(
        "y",
        "FP32",
        [1, 300_000],
        Array.from({ length: 300_000 }, () => 0.123456789),
      ),
    ];
  return [
    tensorFromNumbers(
      "y",
      "FP32",
      x.shape,
      values.map((value) => 2 * value),
    ),
  ];
};

export interface JobKeeper {
  readonly jobs: JobBook;
  /** Rows of the calls so far. */
  readonly calls: readonly number[];
  readonly daemon?: SmallDaemon["daemon"];
  readonly engine?: Engine;
  /** Without a word to anybody. */
  kill(): Promise<void>;
}

export interface JobKeeperOptions {
  /** Of a call of the model. */
  readonly serviceMs?: number;
  readonly mostBytes?: number;
  readonly handOverMs?: number;
  /** Puts something between the keeper and the server. */
  readonly through?: (engine: Engine) => Engine;
  /** Default: doubles its rows. */
  readonly servedBy?: SmallDaemonOptions["serve"];
  /** Called with the daemon before it serves. */
  readonly with?: (daemon: SmallDaemon["daemon"]) => void;
}

export interface JobWorld {
  keeper(options?: JobKeeperOptions | number | "serves nothing"): Promise<JobKeeper>;
  readonly nats?: NatsServer;
  stop(): Promise<void>;
}

export async function submittedJob(jobs: JobBook, values: readonly number[], hints = {}): Promise<string> {
  const text = values.map((value) => JSON.stringify({ x: [value] })).join("\n");
  const sent = { body: new Uint8Array(Buffer.from(text)).buffer, type: "application/x-ndjson" };
  const options = {
    codec: codecHere,
    metadata: metadata as never,
    mostFileBytes: 2 ** 20,
    mostBytes: 2 ** 20,
  };
  return jobs.start("double", await readJobBody(sent, options), hints, sent);
}

export interface JobLine {
  readonly row: number;
  readonly error?: string;
  readonly outputs?: readonly { readonly data: readonly number[] }[];
}

export async function linesOf(pieces: AsyncIterable<Uint8Array>): Promise<JobLine[]> {
  let text = "";
  for await (const piece of pieces) text += Buffer.from(piece).toString();
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as JobLine);
}

export async function endedJob(jobs: JobBook, id: string): Promise<JobView> {
  await expect.poll(async () => (await jobs.find("double", id)).status().state).not.toBe("running");
  return jobs.find("double", id);
}

export async function memoryJobs(): Promise<JobWorld> {
  return {
    keeper: async (given = {}) => {
      const { serviceMs = 0 } = optionsOf(given);
      const { daemon, calls } = await smallDaemon({ metadata, serve, serviceMs, maxQueuedRows: 10_000 });
      const jobs = new Jobs({ daemon, ...jobBounds });
      return { jobs, calls, kill: () => jobs.close() };
    },
    stop: async () => {},
  };
}

export async function natsJobs(program?: NatsProgram): Promise<JobWorld> {
  const nats = await startNats({ program });
  const limits = { window: 64, ackWaitMs: 1_000, pinMs: 1_500 };
  return {
    nats,
    keeper: async (given = {}) => {
      const { serviceMs = 0, mostBytes, handOverMs, through, servedBy, with: prepare } = optionsOf(given);
      const joined: Engine = await joinNats(
        { join: [natsAddress(nats.address)] },
        { as: "test", env: {}, log: silent },
      );
      const engine = through?.(joined) ?? joined;
      const { daemon, calls } = await smallDaemon({
        metadata,
        serve: servedBy ?? serve,
        serviceMs,
        maxQueuedRows: 10_000,
      });
      prepare?.(daemon);
      const bytes = mostBytes === undefined ? {} : { mostBytes };
      const jobs = new DurableJobs({
        daemon,
        ...jobBounds,
        ...bytes,
        ...(handOverMs !== undefined && { handOverMs }),
        maxFileBytes: 2 ** 20,
        limits,
        log: silent,
      });
      await jobs.open(engine);
      const served = given === "serves nothing" ? undefined : jobs.serve("double");
      return {
        jobs,
        calls,
        daemon,
        engine,
        kill: async () => {
          await joined.connection.close();
          jobs.retire();
          await served?.leave();
        },
      };
    },
    stop: () => nats.stop(),
  };
}

function optionsOf(given: Parameters<JobWorld["keeper"]>[0]): JobKeeperOptions {
  if (typeof given === "number") return { serviceMs: given };
  return typeof given === "string" || given === undefined ? {} : given;
}
