/** What a pool of replicas is made with. */
import type { Joining } from "../joining/joining.ts";
import type { BatchEnd } from "../observe/model-statistics.ts";
import type { ModelQueueBounds } from "./model-queue.ts";
import type { ReplicaOptions } from "./replica.ts";
import type { ServiceTimes } from "./service-times.ts";

/** What a pool has learned of its model, for the next one that serves it. */
export interface PoolKnowledge {
  readonly joining: Joining | undefined;
  readonly serviceTimes: ServiceTimes;
}

export interface ReplicaPoolOptions extends ReplicaOptions, ModelQueueBounds {
  /** How many processes, an integer from 1. */
  readonly replicas: number;
  /** Which free replica gets a batch: the first one, whose caches are warm, or the next one in turn. */
  readonly balance: "least-work" | "round-robin";
  /** Longest time that a batch may run before its replica is killed. */
  readonly runTimeoutMs: number;
  /** Time that every batch may run; see `BatchTimes`. */
  readonly hangFloorMs?: number;
  /** What an earlier pool of the same model has learned. */
  readonly known?: PoolKnowledge | undefined;
  /** Called after every batch that a replica has run. */
  readonly onBatch?: (end: BatchEnd) => void;
}
