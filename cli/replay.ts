/** `spillway replay`: replays a trace or a record under policies, or checks a record against the queue of today. */
import { checkRecordFile } from "../replay/command/check-command.ts";
import { checkSource, type ReplayCommandOptions } from "../replay/command/replay-options.ts";
import { replayUnderPolicies } from "../replay/command/run-replay.ts";

/** Exit status 0, or 1 when a record does not replay as recorded. Throws UsageError for bad input. */
export async function runReplay(options: ReplayCommandOptions): Promise<number> {
  checkSource(options);
  const { record, policy, compare, hindsight } = options;
  if (record !== undefined && policy === undefined && compare === undefined && !hindsight) {
    return checkRecordFile({ ...options, record });
  }
  await replayUnderPolicies(options);
  return 0;
}
