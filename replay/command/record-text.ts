/** The check of a record and the stories of its requests, as sentences for a person. Times are since the record's start. */
import { figure } from "../../base/figures.ts";
import { modelOfKey } from "../../client/policies/queue-key.ts";
import type { RecordCheck, RecordDifference, RecordSummary } from "../records/check-record.ts";
import { eventText } from "../../client/daemon/observe/why/event-text.ts";
import { reasonText } from "../../client/policies/reasons/reason-text.ts";
import type { TargetSeen } from "../../client/policies/reasons/seen.ts";
import type { AskedStep, RequestStory } from "../records/explain.ts";
import type { RecordedDecision } from "../records/recorded-run.ts";

/** @param file name of the record */
export function formatCheck(file: string, { summary, decisions, difference }: RecordCheck): string {
  const { policy, sloMs, events, spanMs, requests, targets, plans } = summary;
  const { arrived, open, ...ends } = requests;
  const outcomes = Object.entries({ ...ends, "still open": open }).filter(([, count]) => count > 0);
  const lines = [
    `${file}: ${events} events in ${secondsText(spanMs)}; policy ${policy}, SLO ${sloMs} ms`,
    `requests: ${[`${arrived} arrived`, ...outcomes.map(([name, count]) => `${count} ${name}`)].join(", ")}`,
    ...Object.entries(targets).map(([name, { answered, batches, failedBatches, rows, reasons }]) => {
      if (batches === 0) return `${name}: no batch`;
      const why = Object.entries(reasons).map(([reason, count]) => `${count} ${reason}`);
      const failures = failedBatches === 0 ? "" : `, ${failedBatches} failed`;
      const mean = figure(rows / batches);
      return `${name}: ${answered} requests, ${batches} batches of ${mean} rows (${why.join(", ")})${failures}`;
    }),
    `plans: ${plans.made} made, ${plans.adopted} adopted`,
    difference === undefined
      ? `identical: ${decisions} decisions`
      : differenceText(file, difference, decisions, summary),
  ];
  return `${lines.join("\n")}\n`;
}

function differenceText(
  file: string,
  { index, line, recorded, now, fault }: RecordDifference,
  decisions: number,
  { startAtMs }: RecordSummary,
): string {
  const atMs = (recorded ?? now)?.atMs;
  const place = line === null ? "after the last decision" : `${file}:${line}`;
  const when = atMs === undefined ? "" : `, at ${secondsText(atMs - startAtMs)}`;
  const lines = [
    `different: decision ${index + 1} of ${decisions}, ${place}${when}`,
    `  recorded: ${recorded === null ? "nothing" : decisionText(recorded)}`,
    `  now:      ${now === null ? "nothing" : decisionText(now)}`,
  ];
  if (recorded !== null && now !== null && recorded.kind === now.kind)
    lines.push(`  differs in: ${differingFields(recorded, now).join(", ")}`);
  if (fault !== undefined) lines.push(`  the replay stopped: ${fault}`);
  return lines.join("\n");
}

function decisionText(decision: RecordedDecision): string {
  switch (decision.kind) {
    case "batch": {
      const { id, target, rows, plannedRows, reason, requests } = decision;
      return `batch ${id} to ${target}, ${rows} rows (${plannedRows} planned, ${reason}), requests ${requests.join(", ")}`;
    }
    case "postponed":
      return `request ${decision.id} is postponed`;
    case "barred":
      return `functions are not called any more for request ${decision.id} (${decision.code})`;
    case "end":
      return `request ${decision.id} ends: ${decision.outcome}${decision.code === undefined ? "" : ` (${decision.code})`}`;
    case "plan":
      return `plan (${decision.cause}, ${decision.isAdopted ? "adopted" : "not adopted"}): ${decision.text}`;
  }
}

function differingFields(recorded: object, now: object): string[] {
  const [a, b] = [recorded, now].map((each) => new Map(Object.entries(each)));
  const names = new Set([...(a?.keys() ?? []), ...(b?.keys() ?? [])]);
  return [...names].filter((name) => JSON.stringify(a?.get(name)) !== JSON.stringify(b?.get(name)));
}

/** One request: a heading, then a line for each step with its time. */
export function formatStory({ request, plan, steps }: RequestStory, startAtMs: number): string {
  const { id, key, atMs, rows, bytes, sloMs } = request;
  const at = (ms: number): string => secondsText(ms - startAtMs);
  const lines = [
    `request ${id}: ${counted(rows, "row")}, ${bytes.toLocaleString("en")} bytes, model ${modelOfKey(key) || "(no name)"}`,
    `  ${at(atMs)}  It arrived. It has to be answered by ${at(atMs + sloMs)}, within ${figure(sloMs)} ms.`,
  ];
  if (plan !== null) lines.push(`  ${at(atMs)}  The plan in force, of ${at(plan.atMs)}: ${plan.text}.`);
  let repeats: AskedStep[] = [];
  const flush = (): void => {
    const last = repeats.at(-1);
    if (last !== undefined) {
      const asked = counted(repeats.length, "more time");
      lines.push(
        `  ${at(last.atMs)}  The policy was asked ${asked}, the last one now, and decided to wait.${last.why === undefined ? "" : ` ${reasonText(last.why)}`} ${seenText(last, at)}`,
      );
    }
    repeats = [];
  };
  for (const [index, step] of steps.entries()) {
    const before = steps[index - 1];
    const isRepeat = isWait(step) && before !== undefined && isWait(before);
    if (isRepeat) {
      repeats.push(step);
      continue;
    }
    flush();
    const again = before?.kind === "result" ? "It waits again. " : "";
    const text = step.kind === "asked" ? again + askedText(step, at) : eventText(step, request, steps);
    if (text !== "") lines.push(`  ${at(step.atMs)}  ${text}`);
  }
  flush();
  if (!steps.some(({ kind }) => kind === "end")) lines.push("  The record ends before this request does.");
  return `${lines.join("\n")}\n`;
}

function isWait(step: RequestStory["steps"][number]): step is AskedStep {
  return step.kind === "asked" && step.decision.kind === "wait";
}

type TimeText = (atMs: number) => string;

function askedText(step: AskedStep, at: TimeText): string {
  const { why, decision } = step;
  // Why it left is told of its batch.
  const isTold = decision.kind === "send" && decision.isIn;
  const reason = why === undefined || isTold ? "" : ` ${reasonText(why)}`;
  return `${afterText(step.after)}, the policy was asked. ${seenText(step, at)} It decided to ${decidedText(step, at)}.${reason}`;
}

function afterText({ kind, id }: AskedStep["after"]): string {
  switch (kind) {
    case "arrival":
      return `After request ${id} had arrived`;
    case "result":
      return `After batch ${id} had come back`;
    case "cancel":
      return `After request ${id} was cancelled`;
    case "timer":
      return "When the timer fired";
    case "close":
      return "When the queue began to close";
    case "refusal":
      return "After that refusal";
    case "target-added":
    case "target-removed":
    case "target-models":
      return "After that change";
    default:
      return `After ${kind}`;
  }
}

/** What the policy saw. */
function seenText({ line, targets }: AskedStep, at: TimeText): string {
  const { requests, rows, ahead, oldestWaitedMs } = line;
  const waiting = `${counted(requests, "request")} (${counted(rows, "row")}) waited, ${ahead} before this one, the oldest for ${figure(oldestWaitedMs)} ms`;
  return `${waiting}; ${targets.map((target) => targetText(target, at)).join("; ")}.`;
}

export function targetText({ name, inFlight, maxInFlight, health }: TargetSeen, at: TimeText): string {
  const calls = `${name}: ${inFlight} of ${maxInFlight} batches under way`;
  switch (health.kind) {
    case "healthy":
      return calls;
    case "paused":
      return `${calls}, paused until ${at(health.untilMs)}`;
    case "probing":
      return `${calls}, failing since ${at(health.sinceMs)} and probed`;
    case "excluded":
      return `${calls}, excluded for this request`;
  }
}

function decidedText({ decision, line }: AskedStep, at: TimeText): string {
  switch (decision.kind) {
    case "wait":
      return decision.untilMs === null
        ? "wait until something happens"
        : `wait until ${at(decision.untilMs)}, unless something happens before`;
    case "send":
      if (line.requests === 1) return `send it to ${decision.target}`;
      return `send ${counted(decision.requests, "request")} to ${decision.target}, ${decision.isIn ? "with" : "without"} this one`;
    case "postpone": {
      const which = counted(decision.requests, "request");
      return `answer ${which} late, ${decision.isIn ? "with" : "without"} this one`;
    }
    case "refuse":
      return `give up the first ${counted(decision.requests, "request")} as too late, ${decision.isIn ? "with" : "without"} this one`;
  }
}

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

export function secondsText(ms: number): string {
  return `${(ms / 1_000).toFixed(3)} s`;
}
