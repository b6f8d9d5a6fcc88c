/** A decision of the queue in words for people. */
import { figure } from "../../../../base/figures.ts";
import type { ReleaseReason } from "../../../policies/policy.ts";
import type { Reason } from "../../../policies/reasons/reason.ts";
import { reasonText, releaseText } from "../../../policies/reasons/reason-text.ts";
import type { QueueEvent } from "../../../queue/queue-event.ts";
import type { TargetHealth } from "../../../targets/target-view.ts";
import type { WireDecisionDetail } from "./wire.ts";

/** Events that tell of a decision. */
export type DecisionEvent = QueueEvent & { readonly kind: "batch" | "refusal" | "postponed" | "end" };

const releases: Readonly<Record<ReleaseReason, string>> = {
  full: "the batch was full",
  timeout: "it had waited as long as it may",
  deadline: "waiting would risk a deadline or gain nothing",
  drain: "the queue was closing",
};
const longest = 900;

/** In a few words. */
export function shortReason(event: DecisionEvent): string {
  switch (event.kind) {
    case "batch":
      return event.why === undefined ? releases[event.reason] : shortWhy(event.why, releases[event.reason]);
    case "refusal":
      return event.code.replaceAll("_", " ");
    case "postponed":
      return "late on purpose, to save money";
    case "end":
      return (event.code ?? event.outcome).replaceAll("_", " ");
  }
}

function shortWhy(why: Reason, otherwise: string): string {
  switch (why.kind) {
    case "edge-batch":
      return why.rows >= why.lineRows
        ? "the edge had a place and took all that waited"
        : `the edge had a place and took ${why.rows} of ${why.lineRows} rows`;
    case "trial":
      return "tried whether the target serves";
    case "late-batch":
      return "the edge was idle and took late ones";
    case "function-call":
      if (why.cause === "longest-wait") return "it had waited as long as it may, and no edge had a place";
      return `edges have no time for ${why.overflow} of ${why.waiting}; ${otherwise}`;
    case "start-instance":
      return "started an instance for those that follow";
    case "keep-warm":
      return "kept an instance from being stopped";
    case "oversized":
      return "larger than any batch that was measured";
    default:
      return otherwise;
  }
}

/** In sentences. */
export function reasonOf(event: DecisionEvent): string {
  if (event.kind === "refusal") return `${event.target} did not take the batch: ${cut(event.message)}`;
  if (event.why !== undefined) return cut(reasonText(event.why));
  if (event.kind === "batch") return `Sent then because ${releaseText(event.reason)}.`;
  if (event.kind === "postponed")
    return "Its function call would have cost much, and so many requests may be late.";
  return (event.code ?? event.outcome).replaceAll("_", " ");
}

/** What the policy saw of the line, and what it chose. */
export function decisionFacts(
  event: DecisionEvent,
  { requests, rows }: { readonly requests: number; readonly rows: number },
): [string, string][] {
  const count: [string, string] = ["Requests", `${requests}${rows > requests ? `, ${rows} rows` : ""}`];
  if (event.kind !== "batch") return [count];
  const { saw, plannedRows, waitedMs, retries } = event;
  const facts: [string, string][] = [
    count,
    ["Size aimed at", counted(plannedRows, "row")],
    ["Oldest had waited", `${figure(waitedMs)} ms`],
  ];
  if (saw !== undefined)
    facts.push(
      ["Waited in the line", `${counted(saw.requests, "request")}, ${counted(saw.rows, "row")}`],
      ["Left until the first deadline", `${figure(saw.leftMs)} ms`],
    );
  if (retries !== undefined)
    facts.push(["Sent before and failed", `${counted(retries.requests, "request")}: ${cut(retries.last)}`]);
  return facts;
}

/** Each target as the policy saw it. */
export function seenBy(event: DecisionEvent): WireDecisionDetail["targets"] {
  const targets = event.kind === "batch" ? (event.saw?.targets ?? []) : [];
  return targets.map(({ name, inFlight, maxInFlight, health }) => {
    return { name, inFlight, maxInFlight, health: healthText(health, event.atMs) };
  });
}

function healthText(health: TargetHealth, atMs: number): string {
  switch (health.kind) {
    case "healthy":
      return "well";
    case "paused":
      return `paused for ${figure(Math.max(0, health.untilMs - atMs))} ms more`;
    case "probing":
      return "being tried after a failure";
    case "excluded":
      return "not for these requests";
  }
}

function cut(text: string): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
