/** Tries a model that is to be added: on a replica of its own it is loaded, its rows are proved, and it is measured. */
import type { Logger } from "pino";
import { LatencyModel } from "../../algorithms/latency/latency-model.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import type { InferRequest, ModelMetadata } from "../../protocol/message.ts";
import { stackRequests } from "../../protocol/stack.ts";
import { ExampleBook } from "../example/example-book.ts";
import type { JoiningStatus } from "../joining/joining.ts";
import type { ModelFile } from "../models/model-runner.ts";
import { replicaMemoryBytes } from "../observe/replica-memory.ts";
import { ReplicaPool } from "../replicas/replica-pool.ts";

export interface TryOptions {
  readonly model: ModelFile;
  readonly threads: number;
  readonly log: Logger;
}

export interface TriedModel {
  readonly metadata: ModelMetadata;
  readonly joining: JoiningStatus | undefined;
  /** A request of one row; undefined where none was found. */
  readonly example: InferRequest | undefined;
  /** Why there is no example. */
  readonly whyNoExample?: string;
  /** Whether the example has a form in JSON. */
  readonly isJson: boolean;
  /** Median times by rows, in milliseconds. */
  readonly serviceMs: ReadonlyMap<number, number>;
  /** Of its process; undefined where the system does not tell. */
  readonly memoryBytes: number | undefined;
}

const replicaEntry = new URL("../replicas/replica-process.js", import.meta.url);
const loadTimeoutMs = 300_000;
/** Sizes of the batches that are measured, how often, and how long all may take, in milliseconds. */
const sizes = [1, 4, 16];
const rounds = 8;
const longestMs = 5_000;
const mostQueueBytes = 2 ** 30;

/** Rejects with an Error that says why the model cannot be loaded. */
export async function tryModel(options: TryOptions): Promise<TriedModel> {
  const pool = poolOf(options);
  try {
    await pool.ready();
    const metadata = pool.metadata as ModelMetadata;
    const found = await new ExampleBook().of(pool).catch((error: Error) => error.message);
    const example = typeof found === "string" ? undefined : found;
    const serviceMs = example === undefined ? new Map<number, number>() : await measured(pool, example);
    const { joining, replicas } = pool.status();
    const pid = replicas[0]?.pid;
    return {
      metadata,
      joining,
      example,
      ...(typeof found === "string" && { whyNoExample: found }),
      isJson: example !== undefined && hasJson(example),
      serviceMs,
      memoryBytes: pid === undefined ? undefined : replicaMemoryBytes(pid),
    };
  } finally {
    await pool.close();
  }
}

/** Why the model cannot be loaded with its settings; undefined when it can. */
export async function whyNotLoaded(options: TryOptions): Promise<string | undefined> {
  const pool = poolOf(options);
  try {
    await pool.ready();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  } finally {
    await pool.close();
  }
}

/** What the model takes and gives with its handler once that has answered a request; or why it does not. */
export async function tryHandler(options: TryOptions): Promise<ModelMetadata | string> {
  const pool = poolOf(options);
  try {
    await pool.ready();
    await new ExampleBook().of(pool);
    return pool.metadata as ModelMetadata;
  } catch (error) {
    return (error as Error).message;
  } finally {
    await pool.close();
  }
}

function poolOf({ model, threads, log }: TryOptions): ReplicaPool {
  return new ReplicaPool({
    model,
    threads,
    log,
    entry: replicaEntry,
    loadTimeoutMs,
    pingMs: 60_000,
    replicas: 1,
    balance: "least-work",
    maxBatchRows: Math.min(32, model.config?.maxBatchRows ?? Infinity),
    maxQueueRows: 1_024,
    maxQueueBytes: mostQueueBytes,
    runTimeoutMs: 60_000,
  });
}

/** Batches of one row, and of more where requests may share a run. */
async function measured(pool: ReplicaPool, example: InferRequest): Promise<Map<number, number>> {
  const untilMs = performance.now() + longestMs;
  const joins = pool.joining?.join_rows === true;
  const times = new LatencyModel({ maxRows: sizes.at(-1) as number });
  const done = new Set<number>();
  for (const rows of joins ? sizes : [1]) {
    const request = stackRequests(Array.from({ length: rows }, () => example));
    // The first run of a size is slower than the others.
    for (let round = 0; round <= rounds && performance.now() < untilMs; round++) {
      const { serviceMs } = await pool.run(request);
      if (round === 0) continue;
      times.observe(rows, serviceMs);
      done.add(rows);
    }
  }
  const table = done.size === 0 ? new Float64Array() : times.table(0.5);
  return new Map([...done].map((rows) => [rows, table[rows] as number]));
}

function hasJson(request: InferRequest): boolean {
  try {
    encodeInferRequest(request, { binary: false });
    return true;
  } catch {
    return false;
  }
}
