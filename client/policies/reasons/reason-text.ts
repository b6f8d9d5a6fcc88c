/** The reason of a decision in sentences for a person. */
import { figure } from "../../../base/figures.ts";
import type { ReleaseReason } from "../policy.ts";
import type { AwaitedThing, Reason } from "./reason.ts";

/** Rivals that are named. */
const mostRivals = 4;

const awaited: Readonly<Record<AwaitedThing, string>> = {
  company: "for more requests, until the batch must leave",
  edge: "for the edge, which is busy: a batch sent later still reaches it in time",
  "last-moment":
    "for the last moment at which a function call is in time, in case the edge is free sooner or others join the call",
  pause: "for the end of a pause: the target failed or refused a call",
  "call-place": "for a place: as many calls are under way as the function takes",
  "idle-instance": "for a busy instance that should be idle soon enough",
  "longest-wait": "until the oldest request has waited as long as it may",
  trial: "for the next trial of a target that failed or seems to be too slow",
};

const releases: Readonly<Record<ReleaseReason, string>> = {
  full: "it was as large as planned",
  timeout: "its oldest request had waited as long as the policy lets it wait for company",
  deadline: "waiting for more requests would have risked a deadline or gained nothing",
  drain: "the queue was closing, so nothing more could join it",
};

/** Why a batch left, where its policy says no more than that. */
export function releaseText(reason: string): string {
  return (releases as Readonly<Record<string, string>>)[reason] ?? reason;
}

/**
 * @example
 * reasonText({ kind: "oversized", rows: 90, mostRows: 64 });
 * // "It has 90 rows, more than the largest batch that was measured (64 rows), so it was sent alone and at once."
 */
export function reasonText(reason: Reason): string {
  switch (reason.kind) {
    case "edge-batch":
      return edgeText(reason);
    case "trial":
      return `${trials[reason.of]}${reason.giveUpMs === undefined ? "" : ` It is given up there after ${ms(reason.giveUpMs)}, in time to go elsewhere.`}`;
    case "late-batch":
      return `The edge had nothing else to do, so it took requests that are late on purpose: at most ${counted(reason.mostRows, "row")}, so as not to delay others.`;
    case "function-call":
      return callText(reason);
    case "start-instance": {
      const others = reason.underWay === 0 ? "none was" : `${counted(reason.underWay, "call")} under way`;
      return `The call started an instance of ${reason.size}, which takes ${ms(reason.coldStartMs)}: no idle one could serve in time (${others}), and those that follow need one.`;
    }
    case "keep-warm":
      return `The call kept an instance of ${reason.size}, idle for ${ms(reason.idleForMs)}, from being stopped after ${ms(reason.stopsAfterMs)}: starting one takes too long for a deadline, and has lost too many requests.`;
    case "oversized":
      return `It has ${counted(reason.rows, "row")}, more than the largest batch that was measured (${counted(reason.mostRows, "row")}), so it was sent alone and at once.`;
    case "hopeless":
      return `The edges have so much work before ${reason.requests === 1 ? "it" : `the first ${reason.requests} requests`} that even if all goes well the answer comes too late, and functions may not be called.`;
    case "calls-too-late":
      return `No edge has time for it, and ${ms(reason.leftMs)} before its deadline the fastest function call, of ${ms(reason.shortestMs)}, comes too late.`;
    case "dear-call":
      return `Its function call would have cost ${figure(reason.cost)}; without it ${figure(reason.savedCost)} is saved, and the share of requests that may be late allows it.`;
    case "wait":
      return `It waits ${awaited[reason.for]}.`;
    case "told":
      return reason.text;
  }
}

const trials = {
  failed: "The target had failed; one request found out whether it serves again.",
  unsure: "The target usually answers such a request in time, though not surely, and nothing else does.",
  "too-large":
    "The request has more rows than any batch that was measured at the edge, so nobody knows how long it takes: it was tried.",
  "too-slow": "The target seemed to be too slow for it; one request found out whether that is true.",
} as const;

function edgeText({
  rows,
  lineRows,
  bestRows,
  skipped,
  answerMs,
  leftMs,
}: Reason & { kind: "edge-batch" }): string {
  const due = `an answer is expected in ${ms(answerMs)}, and due in ${ms(leftMs)}`;
  const before =
    skipped === 0
      ? ""
      : ` It passed over ${counted(skipped, "request")} with earlier deadlines, for which it has no time or which functions can still serve.`;
  if (rows >= lineRows)
    return `The edge had a place and took all ${counted(rows, "row")} that waited: ${due}.`;
  const took = `The edge had a place and took ${rows} of the ${lineRows} rows that waited`;
  if (rows >= bestRows)
    return `${took}: in batches of that size it serves most rows a second; ${due}.${before}`;
  return `${took}: with more, up to the ${bestRows} with which it serves most rows a second, the first would be late or nothing gained; ${due}.${before}`;
}

function callText(call: Reason & { kind: "function-call" }): string {
  const { cause, overflow, waiting, rows, bestRows, leftMs, size } = call;
  const why =
    cause === "longest-wait"
      ? "The oldest request had waited as long as it may, and no edge could take it"
      : `The edges could not serve ${overflow === waiting ? (waiting === 1 ? "it" : `any of the ${waiting} waiting requests`) : `${overflow} of the ${waiting} waiting requests`} in time`;
  const spareMs = leftMs - size.answerMs;
  const when =
    rows >= bestRows
      ? `the call was full: with ${counted(bestRows, "row")} a row costs least`
      : spareMs < 1
        ? "this was the last moment"
        : `${ms(spareMs)} before the last moment, because waiting would have gained nothing`;
  const chosen = `${size.name} answers ${counted(rows, "row")} within ${ms(size.answerMs)} of the ${ms(leftMs)} that were left, for ${figure(size.cost)}`;
  return `${why}; ${when}. ${chosen}${rivalsText(call)}.`;
}

/** Why none of the others. */
function rivalsText({ size, rivals, leftMs, rows }: Reason & { kind: "function-call" }): string {
  if (rivals.length === 0) return "";
  const texts = rivals.slice(0, mostRivals).map((rival) => {
    if (rival.maxRows < rows) return `${rival.name} takes at most ${counted(rival.maxRows, "row")}`;
    if (rival.answerMs === Infinity) return `${rival.name} may start no more instances`;
    if (rival.answerMs > leftMs) return `${rival.name} would be late (${ms(rival.answerMs)})`;
    if (rival.cost > size.cost) return `${rival.name} costs more (${figure(rival.cost)})`;
    return `${rival.name} costs ${figure(rival.cost)} for so many rows, but more a row as a whole`;
  });
  const more = rivals.length - mostRivals;
  return `; ${texts.join(", ")}${more > 0 ? `, and ${more} more sizes` : ""}`;
}

function ms(value: number): string {
  return Math.abs(value) < 10_000 ? `${figure(value)} ms` : `${figure(value / 1_000)} s`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
