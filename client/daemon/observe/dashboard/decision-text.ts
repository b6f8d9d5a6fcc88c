/** A decision of the queue in words for people. */
import { figure } from "../../../../base/figures.ts";
import type { ReleaseReason } from "../../../policies/policy.ts";
import type { QueueEvent } from "../../../queue/queue-event.ts";
import type { WireDecisionDetail } from "./wire.ts";

/** Events that tell of a decision. */
export type DecisionEvent = QueueEvent & { readonly kind: "batch" | "refusal" | "postponed" | "end" };

const releases: Readonly<Record<ReleaseReason, readonly [short: string, long: string]>> = {
  full: ["the batch was full", "The batch was as large as planned."],
  timeout: [
    "it had waited as long as it may",
    "Its oldest request had waited as long as it may for others to join it.",
  ],
  deadline: [
    "waiting would risk a deadline or gain nothing",
    "Waiting for more requests would have risked a deadline, or gained nothing.",
  ],
  drain: ["the queue was closing", "The queue was closing, so that nothing more could join it."],
};

/** In a few words. */
export function shortReason(event: DecisionEvent): string {
  switch (event.kind) {
    case "batch":
      return releases[event.reason][0];
    case "refusal":
      return event.code.replaceAll("_", " ");
    case "postponed":
      return "late on purpose, to save money";
    case "end":
      return (event.code ?? event.outcome).replaceAll("_", " ");
  }
}

/** In sentences. */
export function reasonOf(event: DecisionEvent): string {
  switch (event.kind) {
    case "batch":
      return releases[event.reason][1];
    case "refusal":
      return `${event.target} did not take the batch: ${event.message}`;
    case "postponed":
      return "Its function call would have cost much, and as many requests may be late.";
    case "end":
      return (event.code ?? event.outcome).replaceAll("_", " ");
  }
}

/** What the policy saw of the line, and what it chose. */
export function decisionFacts(
  event: DecisionEvent,
  { requests, rows }: { readonly requests: number; readonly rows: number },
): [string, string][] {
  if (event.kind !== "batch") return [["Requests", String(requests)]];
  return [
    ["Sent", `${counted(requests, "request")}, ${counted(rows, "row")}`],
    ["Planned size", counted(event.plannedRows, "row")],
    ["Oldest request had waited", `${figure(event.waitedMs)} ms`],
  ];
}

/** Each target as the policy saw it. */
export function seenBy(_: DecisionEvent): WireDecisionDetail["targets"] {
  return [];
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
