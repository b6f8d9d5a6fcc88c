/** What a pool of replicas is made with. */
import type { BatchEnd } from "../observe/model-statistics.ts";
import type { ModelQueueBounds } from "./model-queue.ts";
import type { ReplicaOptions } from "./replica.ts";

export interface ReplicaPoolOptions extends ReplicaOptions, ModelQueueBounds {
  /** How many processes, an integer from 1. */
  readonly replicas: number;
  /** Which free replica gets a batch: the first one, whose caches are warm, or the next one in turn. */
  readonly balance: "least-work" | "round-robin";
  /** Longest time that a batch may run before its replica is killed. */
  readonly runTimeoutMs: number;
  /** Time that every batch may run; see `BatchTimes`. */
  readonly hangFloorMs?: number;
  /** Called after every batch that a replica has run. */
  readonly onBatch?: (end: BatchEnd) => void;
}
