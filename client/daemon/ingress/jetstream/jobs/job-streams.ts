/** The streams that keep what happened to jobs, how they ended, and which are to be run. */
import { DiscardPolicy, RetentionPolicy, StorageType } from "@nats-io/jetstream";
import type { Engine } from "../../../../../base/nats/engine.ts";
import { makeStream, nanosPerMs } from "../bus-streams.ts";

/** No job is kept for longer, whoever forgot it. */
export const longestJobMs = 14 * 86_400_000;
/** Room for ends: far more than most take, since some daemons may allow more jobs than the one that made the stream. */
const endBytes = 16_384;

/**
 * @param mostBytes of all logs, and of all inputs
 * @param mostJobs for whose ends there is always room
 */
export async function makeJobStreams(
  { manager, names }: Engine,
  mostBytes: number,
  mostJobs: number,
): Promise<void> {
  const { jobEnds, jobLogs, jobQueue } = names;
  const shared = {
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_age: longestJobMs * nanosPerMs,
  };
  await makeStream(
    manager,
    {
      ...shared,
      name: jobLogs.stream,
      subjects: [jobLogs.subjects],
      retention: RetentionPolicy.Limits,
      max_bytes: mostBytes,
      allow_direct: true,
      republish: { src: jobLogs.subjects, dest: jobLogs.copy, headers_only: true },
    },
    false,
  );
  await makeStream(
    manager,
    {
      ...shared,
      name: jobEnds.stream,
      subjects: [jobEnds.subjects],
      retention: RetentionPolicy.Limits,
      max_bytes: 2 * mostJobs * endBytes,
      max_msgs_per_subject: 1,
      allow_direct: true,
      republish: { src: jobEnds.subjects, dest: jobLogs.copy, headers_only: true },
    },
    false,
  );
  await makeStream(
    manager,
    {
      ...shared,
      name: jobQueue.stream,
      subjects: [jobQueue.subjects],
      retention: RetentionPolicy.Workqueue,
      max_msgs_per_subject: 1,
      discard_new_per_subject: true,
    },
    false,
  );
}
