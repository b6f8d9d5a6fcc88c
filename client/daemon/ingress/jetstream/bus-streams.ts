/** The streams that requests and results are kept in, and how they are made. */
import { DiscardPolicy, RetentionPolicy, StorageType, type StreamConfig } from "@nats-io/jetstream";
import { JetStreamApiError } from "@nats-io/jetstream/internal";
import type { Engine } from "../../../../base/nats/engine.ts";

export const nanosPerMs = 1_000_000;

/** Requests stay no longer than the longest deadline of a request, results as long as somebody may ask for them. */
export const requestsMs = 86_400_000 + 600_000;
export const resultsMs = 3_600_000;
const markerMs = 1_000;

/**
 * Makes both streams, or takes them as they are. Streams that an older server made are told of deadlines.
 *
 * @param mostBytes of each of both
 */
export async function makeStreams({ manager, can, names }: Engine, mostBytes: number): Promise<void> {
  const { requests, results } = names;
  const shared = { storage: StorageType.File, max_bytes: mostBytes, allow_direct: true };
  const queue: Partial<StreamConfig> & { name: string } = {
    ...shared,
    name: requests.stream,
    subjects: [requests.subjects],
    retention: RetentionPolicy.Workqueue,
    discard: DiscardPolicy.New,
    // A subject is one request: a second message of it is refused, however late it comes.
    max_msgs_per_subject: 1,
    discard_new_per_subject: true,
    max_age: requestsMs * nanosPerMs,
    duplicate_window: 120_000 * nanosPerMs,
    ...(can.deadlines && { allow_msg_ttl: true, subject_delete_marker_ttl: markerMs * nanosPerMs }),
  };
  const answers: Partial<StreamConfig> & { name: string } = {
    ...shared,
    name: results.stream,
    subjects: [results.subjects],
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    max_age: resultsMs * nanosPerMs,
    duplicate_window: 120_000 * nanosPerMs,
    // Those who wait see what is stored, not what somebody tried to store.
    republish: { src: results.subjects, dest: results.copy },
  };
  for (const config of [queue, answers]) await makeStream(manager, config, can.deadlines);
}

/** Makes a stream, or takes it as it is. */
export async function makeStream(
  manager: Engine["manager"],
  config: Partial<StreamConfig> & { name: string },
  hasDeadlines: boolean,
): Promise<void> {
  try {
    await manager.streams.add(config);
  } catch (error) {
    // Another daemon made it with other limits, which stay.
    if (codeOf(error) !== apiCodes.nameInUse) throw error;
    const { config: there } = await manager.streams.info(config.name);
    if (hasDeadlines && config.allow_msg_ttl === true && !there.allow_msg_ttl)
      await manager.streams.update(config.name, {
        ...there,
        allow_msg_ttl: true,
        subject_delete_marker_ttl: markerMs * nanosPerMs,
      } as Partial<StreamConfig>);
  }
}

/** Codes of errors of JetStream. */
export const apiCodes = {
  nameInUse: 10_058,
  wrongLastSequence: 10_071,
  wrongLastSequenceUnknown: 10_164,
  noStorage: 10_047,
  storeFailed: 10_077,
  noMessage: 10_037,
  consumerMissing: 10_014,
  streamMissing: 10_059,
} as const;

/** Undefined for what is no error of JetStream's own. */
export function codeOf(error: unknown): number | undefined {
  return error instanceof JetStreamApiError ? error.code : undefined;
}

/** A stream takes no more, and waiting a moment does not help. */
export function isFull(error: unknown): boolean {
  const code = codeOf(error);
  const isBound = code === apiCodes.storeFailed || code === apiCodes.noStorage;
  return isBound && !/per subject/.test((error as Error).message);
}
