/** What a policy saw and decided around one moment, as lines for a person. Times are since the record's start. */
import { figure } from "../../base/figures.ts";
import { reasonText, releaseText } from "../../client/policies/reasons/reason-text.ts";
import { type DecisionSeen, type MomentSeen, momentMs } from "../records/explain-moment.ts";
import { counted, secondsText, targetText } from "./record-text.ts";

export function formatMoment({ atMs, plans, before, after, leftOut }: MomentSeen, startAtMs: number): string {
  const at = (ms: number): string => secondsText(ms - startAtMs);
  const lines = [`at ${at(atMs)}:`];
  for (const plan of plans) lines.push(`  the plan in force, of ${at(plan.atMs)}: ${plan.text}`);
  lines.push("  the last decision about each line before it:");
  lines.push(...(before.length === 0 ? ["    none"] : before.map((each) => `    ${decisionLine(each, at)}`)));
  lines.push(`  decisions within the next ${momentMs} ms:`);
  lines.push(...(after.length === 0 ? ["    none"] : after.map((each) => `    ${decisionLine(each, at)}`)));
  if (leftOut > 0) lines.push(`    and ${leftOut} more`);
  return `${lines.join("\n")}\n`;
}

function decisionLine({ atMs, model, saw, decision, why }: DecisionSeen, at: (ms: number) => string): string {
  const { requests, rows, oldestWaitedMs, leftMs, targets } = saw;
  const due = leftMs < 0 ? `due ${figure(-leftMs)} ms ago` : `due in ${figure(leftMs)} ms`;
  const waiting = `${counted(requests, "request")} (${counted(rows, "row")}) of ${model || "(no name)"} waited, the oldest for ${figure(oldestWaitedMs)} ms, the first ${due}`;
  const seen = targets.map((target) => targetText(target, at)).join("; ");
  const reason =
    why === undefined
      ? decision.reason === undefined
        ? ""
        : ` Reason "${decision.reason}": ${releaseText(decision.reason)}.`
      : ` ${reasonText(why)}`;
  return `${at(atMs)}  ${waiting}; ${seen}. Decided to ${decidedText(decision, at)}.${reason}`;
}

function decidedText(
  { kind, count = 0, target, untilMs = null }: DecisionSeen["decision"],
  at: (ms: number) => string,
): string {
  switch (kind) {
    case "wait":
      return untilMs === null
        ? "wait until something happens"
        : `wait until ${at(untilMs)}, unless something happens before`;
    case "dispatch":
      return `send ${count} to ${target}`;
    case "postpone":
      return `answer ${count} late`;
    case "refuse":
      return `give up the first ${count}`;
  }
}
