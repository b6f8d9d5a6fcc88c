/** `spillway replay --record`: checks that the queue still decides as recorded, and explains requests. */
import { UsageError } from "../../base/usage-error.ts";
import { checkRecord, lostRequests, type RecordCheck } from "../records/check-record.ts";
import type { RecordedRun } from "../records/recorded-run.ts";
import { formatMoment } from "./moment-text.ts";
import { formatCheck, formatStory } from "./record-text.ts";
import type { ReplayCommandOptions } from "./replay-options.ts";
import { type ReadRun, readRuns } from "../records/read-record.ts";
import { warn } from "./replay-world.ts";

/** More lost requests than this are counted, not explained. */
const mostExplained = 20;

/**
 * Prints what the record holds and whether the queue decides the same today.
 *
 * @returns exit status: 0 when it does, else 1
 * @throws UsageError that names file and line of a record that cannot be read
 */
export function checkRecordFile(options: ReplayCommandOptions & { readonly record: string }): number {
  refuseReplayOptions(options);
  const { record } = options;
  const runs = readRuns(record, warn);
  const [only] = runs;
  const chosen = options.explain === undefined && options.at === undefined ? runs : [runOf(runs, options)];
  if (chosen.length === 1 && only !== undefined && !only.isPartial)
    return checkRun(chosen[0] as ReadRun, options);
  const whole = chosen.filter(({ isPartial }) => !isPartial);
  for (const { file, run } of chosen.filter(({ isPartial }) => isPartial)) {
    const requests = run.inputs.filter(({ kind }) => kind === "arrival").length;
    warn(
      `${file}: the file in which the run begins is gone; what it had learned is lost with it, so its decisions cannot be` +
        ` replayed; its ${requests} requests serve what-if`,
    );
  }
  const statuses = whole.map((each) => checkRun(each, options));
  return Math.max(0, ...statuses);
}

/** The run that the options ask about: that of the id, else the last one. */
function runOf(runs: readonly ReadRun[], { explain = "" }: ReplayCommandOptions): ReadRun {
  const [, prefix] = explain.split("-").toReversed();
  const named = runs.findLast(({ run }) => prefix !== undefined && run.header.run === prefix);
  return named ?? (runs.at(-1) as ReadRun);
}

function checkRun({ run, file: record }: ReadRun, options: ReplayCommandOptions): number {
  const { explain, at, json } = options;
  const ids = explain === undefined ? [] : explainedIds(run, explain, record);
  const atMs = at === undefined ? undefined : momentOf(run, at, record);
  const check = checkRecord(run, ids.slice(0, mostExplained), atMs);
  process.stdout.write(json ? jsonOf(record, check) : textOf(record, check, ids));
  return check.difference === undefined ? 0 : 1;
}

function refuseReplayOptions(options: ReplayCommandOptions): void {
  const names = ["tune", "limit", "limitQuantile", "log", "report", "spendAllowance"] as const;
  const given = names.find((name) => options[name] !== undefined && options[name] !== false);
  if (given === undefined) return;
  const flag = given.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new UsageError(
    `--${flag} with --record needs a policy to replay it under: give --policy or --compare`,
  );
}

function explainedIds(run: RecordedRun, explain: string, file: string): readonly number[] {
  if (explain === "lost") return lostRequests(run);
  const [digits = "", prefix] = explain.split("-").toReversed();
  const { run: recorded } = run.header;
  if (prefix !== undefined && prefix !== recorded)
    throw new UsageError(
      `--explain is ${explain}, of another run; allowed in ${file}: ${recorded === undefined ? "an id without a run, because its daemon was older" : `${recorded}-0 and so on`}`,
    );
  const id = Number(digits);
  const arrivals = run.inputs.filter(({ kind }) => kind === "arrival").length;
  if (id < arrivals) return [id];
  const allowed = arrivals === 0 ? "none, it has no request" : `0 to ${arrivals - 1}, or lost`;
  throw new UsageError(`--explain is ${id}; allowed in ${file}: ${allowed}`);
}

/** The moment on the record's clock. */
function momentOf({ inputs, outputs }: RecordedRun, atS: number, file: string): number {
  const startAtMs = Math.min(inputs[0]?.atMs ?? Infinity, outputs[0]?.atMs ?? Infinity);
  const endAtMs = Math.max(inputs.at(-1)?.atMs ?? -Infinity, outputs.at(-1)?.atMs ?? -Infinity);
  const atMs = startAtMs + atS * 1_000;
  if (atMs <= endAtMs) return atMs;
  const allowed = startAtMs === Infinity ? "none, nothing happened" : `0 to ${(endAtMs - startAtMs) / 1_000}`;
  throw new UsageError(`--at is ${atS}; allowed in ${file}: ${allowed}`);
}

function textOf(record: string, check: RecordCheck, ids: readonly number[]): string {
  const { stories, summary, difference, moment } = check;
  const notes =
    difference !== undefined && (stories.length > 0 || moment !== undefined)
      ? ["What follows is of the replay, which differs.\n"]
      : [];
  const told = stories.map((story) => formatStory(story, summary.startAtMs));
  const next = ids.slice(mostExplained, 2 * mostExplained).join(", ");
  if (next !== "")
    notes.push(`The first ${mostExplained} of ${ids.length} lost requests; next come ${next}.\n`);
  if (moment !== undefined) told.push(formatMoment(moment, summary.startAtMs));
  return [formatCheck(record, check), ...notes, ...told].join("\n");
}

function jsonOf(record: string, { summary, decisions, difference, stories, moment }: RecordCheck): string {
  const identical = difference === undefined;
  const explained = stories.length === 0 ? {} : { explained: stories };
  const told = { ...explained, ...(moment !== undefined && { moment }) };
  return `${JSON.stringify({ record, identical, decisions, difference, ...summary, ...told })}\n`;
}
