/** The events of one request in sentences for a person: of a record that is replayed, and of what a daemon served of late. */
import { errorKinds } from "../../../../base/errors.ts";
import { figure } from "../../../../base/figures.ts";
import { reasonText, releaseText } from "../../../policies/reasons/reason-text.ts";
import type { QueueEvent } from "../../../queue/queue-event.ts";
import type { PlanRecord } from "../observer.ts";

export type ArrivalEvent = QueueEvent & { readonly kind: "arrival" };
type BatchEvent = QueueEvent & { readonly kind: "batch" };

/** Names of models in one line. */
const mostModels = 10;

/** Why a batch left: what its policy says of it, and which of its requests had failed before. */
export function batchReason({ reason, why, retries }: BatchEvent): string {
  const told = why === undefined ? `Reason "${reason}": ${releaseText(reason)}.` : reasonText(why);
  if (retries === undefined) return told;
  const { requests, last } = retries;
  const which = requests === 1 ? "One of its requests" : `${requests} of its requests`;
  return `${told} ${which} had failed before (${last.replace(/\.$/, "")}).`;
}

/**
 * One event of a request's story, as a sentence; empty for a plan that was not adopted.
 *
 * @param steps of the story so far and beyond, among them the batches that the request left in
 */
export function eventText(
  event: QueueEvent | PlanRecord,
  request: ArrivalEvent,
  steps: readonly { readonly kind: string }[],
): string {
  switch (event.kind) {
    case "plan":
      return event.isAdopted ? `A new plan (${event.cause}): ${event.text}.` : "";
    case "batch": {
      const { id, target, rows, plannedRows, waitedMs, requests } = event;
      const which = rowsText(event, request);
      const others = requests.filter((each) => each !== request.id);
      const company = others.length === 0 ? "alone" : `with ${requestList(others)}`;
      return (
        `${which} left in batch ${id} to ${target}, ${company}: ${counted(rows, "row")} of ${plannedRows} planned, after` +
        ` the oldest had waited for ${figure(waitedMs)} ms. ${batchReason(event)}`
      );
    }
    case "result":
      return resultText(event, request, steps);
    case "refusal":
      return `${event.target} could not be sent to: ${event.code} (${event.message}).`;
    case "postponed":
      return `From then on it waited for an edge, and was to be late.${event.why === undefined ? "" : ` ${reasonText(event.why)}`}`;
    case "barred":
      return `Functions are not called for it any more: ${event.code}. ${errorKinds[event.code]?.meaning ?? ""}`;
    case "cancel":
      return "Its caller gave it up.";
    case "close":
      return "The queue began to close: nothing new comes in, and what waits is sent.";
    case "target-added":
      return `${event.target.name} was added${event.fault === undefined ? "" : `, and did not answer: ${event.fault.message}`}.`;
    case "target-removed":
      return `${event.target} was removed; what it had been sent was still awaited.`;
    case "target-models":
      return `${event.target} serves ${modelsText(event.models)} from now on.`;
    case "end":
      return endText(event, request);
    default:
      return `${event.kind}: ${JSON.stringify(event)}`;
  }
}

/** Of a request that was split: which of its rows. */
function rowsText({ requests, ranges = [] }: BatchEvent, { id, rows }: ArrivalEvent): string {
  const own = ranges.filter((_, index) => requests[index] === id);
  if (own.length === 0 || rows === 1) return "It";
  const texts = own.map(([from, to]) => (to - from === 1 ? String(from) : `${from} to ${to - 1}`));
  return `Of its ${rows} rows ${texts.join(", ")}`;
}

function modelsText(models: readonly string[] | null): string {
  if (models === null) return "all models";
  const shown = models.slice(0, mostModels).join(", ") || "no model";
  return models.length > mostModels ? `${shown} and ${models.length - mostModels} more` : shown;
}

function resultText(
  event: QueueEvent & { readonly kind: "result" },
  { id }: ArrivalEvent,
  steps: readonly { readonly kind: string }[],
): string {
  const batch = steps.find(
    (step): step is BatchEvent => step.kind === "batch" && (step as BatchEvent).id === event.batch,
  );
  const tookMs = figure(event.atMs - (batch?.atMs ?? event.atMs));
  const own = event.unanswered?.find(({ index }) => batch?.requests[index] === id);
  const fault = own ?? (event.ok ? undefined : event);
  if (fault !== undefined) {
    const what =
      own === undefined ? `Batch ${event.batch} failed` : `Its part of batch ${event.batch} failed`;
    const pause =
      fault.retryAfterMs === undefined ? "" : `; come back in ${figure(fault.retryAfterMs)} ms, it said`;
    return `${what} after ${tookMs} ms: ${fault.code} (${fault.message})${pause}.`;
  }
  if (!event.ok) return "";
  const { serviceMs, serverQueuedMs, coldStartMs } = event;
  const parts = [
    serviceMs === undefined ? [] : `the model ran for ${figure(serviceMs)} ms`,
    serverQueuedMs === undefined ? [] : `the server let it wait for ${figure(serverQueuedMs)} ms`,
    (coldStartMs ?? 0) === 0 ? [] : `the instance started for ${figure(coldStartMs ?? 0)} ms`,
  ].flat();
  return `Batch ${event.batch} was answered after ${tookMs} ms${parts.length === 0 ? "" : `: ${parts.join(", ")}`}.`;
}

function endText(
  { atMs: endAtMs, outcome, code, why }: QueueEvent & { readonly kind: "end" },
  { atMs, sloMs }: ArrivalEvent,
): string {
  const tookMs = figure(endAtMs - atMs);
  const leftMs = atMs + sloMs - endAtMs;
  if (outcome === "served")
    return `Served in time, ${tookMs} ms after it arrived and ${figure(leftMs)} ms before its deadline.`;
  if (outcome === "late")
    return `Served late, ${tookMs} ms after it arrived and ${figure(-leftMs)} ms after its deadline.`;
  // The error of a failed batch has been shown already.
  const meaning =
    code === undefined || outcome === "failed"
      ? ""
      : ` ${why === undefined ? (errorKinds[code]?.meaning ?? "") : reasonText(why)}`;
  return `It ended as ${outcome}${code === undefined ? "" : ` (${code})`}, ${tookMs} ms after it arrived.${meaning}`;
}

/** The first ten by name. */
function requestList(ids: readonly number[]): string {
  const shown = ids.slice(0, 10).join(", ");
  const more = ids.length > 10 ? ` and ${ids.length - 10} more` : "";
  return `request${ids.length === 1 ? "" : "s"} ${shown}${more}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
