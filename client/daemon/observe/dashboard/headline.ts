/**
 * The first sentence of the dashboard: what an operator needs to know at 3 a.m., and what to do about it.
 *
 * @example All is well:
 * headlineOf(facts).text; // "All requests in time for the last 5 minutes; edge-1 answers 83 %; 0.12 CNY an hour."
 */
import type { WireHeadline, WireMoney, WireNow, WireTarget } from "./wire.ts";
import { awayAfterMs } from "./target-watchbook.ts";

export interface HeadlineFacts extends Pick<
  WireNow,
  "state" | "recent" | "targets" | "money" | "sloQuantile" | "nowUnixMs" | "startedUnixMs"
> {
  /** Rows that wait, over all lanes. */
  readonly waitingRows: number;
  /** The error of most requests that were not served of late; undefined: none was lost. */
  readonly mainLoss: string | undefined;
  /** What an hour cost before the first target went away; undefined where nothing is away, or that is not known. */
  readonly perHourBefore: number | undefined;
  /** Whether requests ever came. */
  readonly hadRequests: boolean;
}

/** Shares are shown where they are at least this. */
const leastShare = 0.005;
const mostNamed = 3;

const losses: Readonly<Record<string, string>> = {
  queue_full: "the queue was full",
  overloaded: "more came than can be answered in time",
  deadline_passed: "no target had time for them before their deadlines",
  spend_cap_reached: "the spend cap was reached",
  calls_open: "too many calls were under way",
  retry_budget_spent: "too many calls had failed to repeat more",
  request_rejected: "the target refused their input",
  late: "their answers came late",
};

export function headlineOf(facts: HeadlineFacts): WireHeadline {
  if (facts.state === "starting")
    return ok("starting", "The daemon measures its targets, and takes requests in a moment.");
  if (facts.state === "closing")
    return warn("closing", "The daemon ends: it answers what it has and takes nothing new.", [], []);
  const away = facts.targets.filter((target) => isAway(target, facts.nowUnixMs));
  const edges = facts.targets.filter(({ kind }) => kind === "edge");
  const awayEdges = away.filter(({ kind }) => kind === "edge");
  if (away.length > 0 && away.length === facts.targets.length) return nothingServes(facts, away);
  if (awayEdges.length > 0) return edgesAway(facts, awayEdges, edges.length);
  if (facts.money.isReached) return capReached(facts);
  const missed = missedOf(facts);
  if (missed.share > missed.allowed) return sloMissed(facts, missed);
  if (away.length > 0) return functionsAway(facts, away);
  return allWell(facts);
}

function nothingServes(facts: HeadlineFacts, away: readonly WireTarget[]): WireHeadline {
  const text = `Nothing can serve: ${named(away)} ${away.length === 1 ? "is" : "are"} away since ${sinceOf(away, facts)}. Requests are refused.`;
  return bad("nothing-serves", text, away.slice(0, mostNamed).map(whyOf), [
    ...away.slice(0, mostNamed).map(checkOf),
    backAlone,
  ]);
}

function edgesAway(facts: HeadlineFacts, away: readonly WireTarget[], edges: number): WireHeadline {
  const { money, recent } = facts;
  const others = edges > away.length ? `the other ${plural(edges - away.length, "edge")}` : undefined;
  const functions = money.hasFunctions ? "functions" : undefined;
  const carriers = [others, functions].filter((each) => each !== undefined).join(" and ");
  const cost = costSentence(facts);
  const text = `${named(away)} ${away.length === 1 ? "is" : "are"} away since ${sinceOf(away, facts)}; ${carriers} answer instead${cost === undefined ? "" : ` (${cost})`}.`;
  const more = away.slice(0, mostNamed).map(whyOf);
  if (recent.arrived > 0) more.push(inTimeSentence(facts));
  const actions = [...away.slice(0, mostNamed).map(checkOf), backAlone];
  return missedOf(facts).share > missedOf(facts).allowed
    ? bad("edge-away", text, more, actions)
    : warn("edge-away", text, more, actions);
}

function capReached(facts: HeadlineFacts): WireHeadline {
  const { hour, day, currency } = facts.money;
  const caps = [
    hour.limit === null
      ? undefined
      : `${money(hour.spent, currency)} of ${money(hour.limit, currency)} for an hour`,
    day.limit === null
      ? undefined
      : `${money(day.spent, currency)} of ${money(day.limit, currency)} for a day`,
  ].filter((each) => each !== undefined);
  return bad(
    "cap-reached",
    `The spend cap is reached: ${caps.join(", ")}. What the edges cannot take in time is refused.`,
    [inTimeSentence(facts)],
    ["Send less, or restart the daemon with a higher --max-spend-per-hour or --max-spend-per-day."],
  );
}

interface Missed {
  readonly count: number;
  readonly share: number;
  readonly allowed: number;
}

function missedOf({ recent, sloQuantile }: Pick<HeadlineFacts, "recent" | "sloQuantile">): Missed {
  const count = recent.late + recent.refused + recent.failed;
  const ended = count + recent.inTime;
  return { count, share: ended === 0 ? 0 : count / ended, allowed: 1 - (sloQuantile ?? 0.99) };
}

function sloMissed(facts: HeadlineFacts, missed: Missed): WireHeadline {
  const { recent, mainLoss, waitingRows } = facts;
  const kinds = [
    recent.late > 0 ? `${recent.late} late` : "",
    recent.refused > 0 ? `${recent.refused} refused` : "",
    recent.failed > 0 ? `${recent.failed} failed` : "",
  ].filter((each) => each !== "");
  const text = `${percent(missed.share)} of the requests of ${spanText(facts)} were not answered in time (${kinds.join(", ")}); ${percent(missed.allowed)} may be.`;
  const more: string[] = [];
  if (mainLoss !== undefined) more.push(`Mostly ${losses[mainLoss] ?? mainLoss.replaceAll("_", " ")}.`);
  if (waitingRows > 0) more.push(`${plural(waitingRows, "row")} wait${waitingRows === 1 ? "s" : ""} now.`);
  return bad("slo-missed", text, more, [
    "Open the last decisions below: each says why it was made.",
    "If more comes than edges and functions can take, send less or add an edge.",
  ]);
}

function functionsAway(facts: HeadlineFacts, away: readonly WireTarget[]): WireHeadline {
  const text = `${named(away)} ${away.length === 1 ? "is" : "are"} paused since ${sinceOf(away, facts)}; ${inTimeSentence(facts)}`;
  return warn("functions-away", text, away.slice(0, mostNamed).map(whyOf), [
    "Look at the provider's console: throttling, quotas and credentials pause functions. They are tried again by themselves.",
  ]);
}

function allWell(facts: HeadlineFacts): WireHeadline {
  const { recent, targets } = facts;
  if (recent.arrived === 0 && recent.inTime === 0) {
    const ready = `${readyText(targets)} ready`;
    const since = facts.hadRequests ? `No requests in ${spanText(facts)}` : "No requests yet";
    return ok(facts.hadRequests ? "idle" : "no-requests", `${since}; ${ready}.`);
  }
  const text = [inTimeSentence(facts).replace(/\.$/, ""), sharesText(targets), costText(facts.money)]
    .filter((each) => each !== "")
    .join("; ");
  return ok("well", `${text}.`);
}

/** As one sentence, with its stop. */
function inTimeSentence(facts: HeadlineFacts): string {
  const { count, share } = missedOf(facts);
  if (facts.recent.inTime + count === 0) return `No request has ended in ${spanText(facts)}.`;
  const which = count === 0 ? "All" : percent(1 - share);
  return `${which}${count === 0 ? "" : " of"} requests in time for ${spanText(facts)}.`;
}

/** Who answers how much, the busiest first. */
function sharesText(targets: readonly WireTarget[]): string {
  const all = targets.reduce((sum, { answered }) => sum + answered, 0);
  if (all === 0) return "";
  const byShare = targets
    .filter(({ answered }) => answered / all >= leastShare)
    .sort((a, b) => b.answered - a.answered);
  const edges = byShare.filter(({ kind }) => kind === "edge");
  const functions = byShare
    .filter(({ kind }) => kind === "serverless")
    .reduce((sum, { answered }) => sum + answered, 0);
  if (edges.length > mostNamed) {
    const ofEdges = edges.reduce((sum, { answered }) => sum + answered, 0);
    const rest = functions > 0 ? `, functions ${percent(functions / all)}` : "";
    return `${edges.length} edges answer ${percent(ofEdges / all)}${rest}`;
  }
  const parts = edges.map(({ name, answered }) => `${name} answers ${percent(answered / all)}`);
  if (functions > 0)
    parts.push(`${parts.length === 0 ? "functions answer" : "functions"} ${percent(functions / all)}`);
  return parts.join(", ");
}

function costText({ hasFunctions, perHour, currency }: WireMoney): string {
  return hasFunctions ? `${money(perHour, currency)} an hour` : "";
}

function costSentence({
  money: { hasFunctions, perHour, currency },
  perHourBefore,
}: HeadlineFacts): string | undefined {
  if (!hasFunctions) return undefined;
  const now = `${money(perHour, currency)} an hour`;
  return perHourBefore === undefined ? now : `${now} instead of ${money(perHourBefore, currency)}`;
}

function readyText(targets: readonly WireTarget[]): string {
  const edges = targets.filter(({ kind }) => kind === "edge");
  const functions = targets.length - edges.length;
  const ofEdges = edges.length <= mostNamed ? edges.map(({ name }) => name) : [plural(edges.length, "edge")];
  const all = [...ofEdges, ...(functions > 0 ? [plural(functions, "function")] : [])];
  return `${all.join(" and ")} ${edges.length + functions === 1 ? "is" : "are"}`;
}

function isAway(
  { health, sinceUnixMs }: Pick<WireTarget, "health" | "sinceUnixMs">,
  nowUnixMs: number,
): boolean {
  return health !== "healthy" && nowUnixMs - sinceUnixMs >= awayAfterMs;
}

const backAlone =
  "Nothing needs to be restarted here: the daemon keeps asking and uses what is back by itself.";

function checkOf({ name, kind, at }: WireTarget): string {
  if (kind === "serverless") return `Look at ${name} in the provider's console.`;
  if (at === "") return `Check that ${name} runs and can be reached.`;
  return `Check that the machine of ${name} runs and can be reached: curl ${at}/v2/health/ready`;
}

function whyOf({ name, why }: WireTarget): string {
  if (why === undefined) return `${name} did not answer.`;
  const text = why.startsWith(`${name}: `) ? why : `${name}: ${why}`;
  return text.endsWith(".") ? text : `${text}.`;
}

function named(targets: readonly WireTarget[]): string {
  const names = targets.slice(0, mostNamed).map(({ name }) => name);
  const more = targets.length - names.length;
  return more > 0 ? `${names.join(", ")} and ${more} more` : names.join(" and ");
}

/** The page writes the moment in its reader's time zone. */
function sinceOf(targets: readonly WireTarget[], { nowUnixMs }: HeadlineFacts): string {
  const first = Math.min(...targets.map(({ sinceUnixMs }) => sinceUnixMs));
  return `{time:${Math.round(first)}} (${agoText(nowUnixMs - first)})`;
}

function spanText({ recent: { spanMs } }: Pick<HeadlineFacts, "recent">): string {
  return spanMs < 295_000 ? `the last ${agoText(spanMs)}` : "the last 5 minutes";
}

function agoText(ms: number): string {
  if (ms < 90_000) return plural(Math.max(1, Math.round(ms / 1_000)), "second");
  if (ms < 5_400_000) return plural(Math.round(ms / 60_000), "minute");
  return ms < 172_800_000
    ? plural(Math.round(ms / 3_600_000), "hour")
    : plural(Math.round(ms / 86_400_000), "day");
}

/** Never "100 %" for less than all, nor "0 %" for more than none. */
function percent(share: number): string {
  if (share <= 0) return "0 %";
  if (share >= 1) return "100 %";
  const points = share * 100;
  if (points > 99.9) return "99.9 %";
  if (points < 0.1) return "0.1 %";
  return points >= 99 || points < 10 ? `${Number(points.toFixed(1))} %` : `${Math.round(points)} %`;
}

function money(amount: number, currency: string): string {
  if (amount === 0) return `0 ${currency}`;
  const digits = amount >= 100 ? 0 : amount >= 0.1 ? 2 : 4;
  return `${amount < 0.0001 ? "under 0.0001" : amount.toFixed(digits)} ${currency}`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function ok(matter: string, text: string): WireHeadline {
  return { level: "ok", matter, text, more: [], actions: [] };
}

function warn(
  matter: string,
  text: string,
  more: readonly string[],
  actions: readonly string[],
): WireHeadline {
  return { level: "warn", matter, text, more, actions };
}

function bad(
  matter: string,
  text: string,
  more: readonly string[],
  actions: readonly string[],
): WireHeadline {
  return { level: "bad", matter, text, more, actions };
}
