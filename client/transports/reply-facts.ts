/** What the headers of a function's reply tell: how long the call ran, what is billed, whether it was a cold start. */
import { Lru } from "../../base/memory/lru.ts";

/** By names in lower case. */
export type ReplyHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Instances that are remembered for one target, and the longest id of one, in characters. */
const maxInstances = 4_096;
const maxIdChars = 128;

/** Tells whether an instance was seen before. Forgets the one that was not seen for longest. */
export class SeenInstances {
  readonly #known = new Lru<string, true>(maxInstances);

  /** Notes an instance. Returns true when it was not known. */
  isNew(id: string): boolean {
    const isNew = this.#known.get(id) === undefined;
    this.#known.set(id, true);
    return isNew;
  }
}

/**
 * How long the instance took to start for this call, in milliseconds: 0 when it was warm or the reply does not mention
 * instances; undefined when the instance is new and the reply does not say how long its start took. Function Compute has
 * no header for cold starts; our function host has one.
 */
export function coldStartOf(headers: ReplyHeaders, seen: SeenInstances): number | undefined {
  const id = headers["x-fc-instance-id"];
  const isNew = typeof id === "string" && id.length <= maxIdChars && seen.isNew(id);
  return numberIn(headers, "x-spillway-cold-start-ms") ?? (isNew ? undefined : 0);
}

/** False when the reply says that the instance was up before this call. */
export function mayHaveStarted(headers: ReplyHeaders, coldStartMs: number | undefined): boolean {
  const told = headers["x-fc-instance-id"] ?? headers["x-spillway-cold-start-ms"];
  return coldStartMs !== 0 || told === undefined;
}

/** The longest pause that a server can ask for: what it says of an hour from now is a guess. */
const longestRetryAfterMs = 60_000;

/**
 * In how many milliseconds the server wants to be asked again; undefined when it does not say.
 *
 * @param nowMs in milliseconds since 1970
 */
export function retryAfterOf(headers: ReplyHeaders, nowMs: number): number | undefined {
  const text = headers["retry-after"];
  if (typeof text !== "string") return undefined;
  const seconds = timeIn(text);
  const ms = seconds === undefined ? Date.parse(text) - nowMs : seconds * 1_000;
  return Number.isNaN(ms) ? undefined : Math.min(longestRetryAfterMs, Math.max(0, ms));
}

/** How long the function ran, in milliseconds, as its platform measured it; undefined when it does not say. */
export function durationOf(headers: ReplyHeaders): number | undefined {
  const inMs = numberIn(headers, "x-fc-invocation-duration");
  if (inMs !== undefined) return inMs;
  // OpenFaaS
  const inS = numberIn(headers, "x-duration-seconds");
  return inS === undefined ? inLogTail(headers, /(?<!Billed )Duration: ([0-9.]+) ms/g) : inS * 1_000;
}

/** The time that is billed, in milliseconds, before the price sheet rounds it. */
export function billedOf(headers: ReplyHeaders): number | undefined {
  return inLogTail(headers, /Billed Duration: ([0-9.]+) ms/g) ?? durationOf(headers);
}

/** The platform's line is the last one; what the function printed comes before it. */
function inLogTail(headers: ReplyHeaders, pattern: RegExp): number | undefined {
  const encoded = headers["x-fc-log-result"];
  if (typeof encoded !== "string") return undefined;
  const found = [...Buffer.from(encoded, "base64").toString().matchAll(pattern)].at(-1);
  return found === undefined ? undefined : timeIn(found[1]);
}

/** Clocks of two machines run apart, and a server may begin to measure before we do, in milliseconds. */
const clocksApartMs = 100;

/**
 * A time that a server tells of a call, where it can be true: a number of 0 or more, and not much above what the whole call
 * took. A larger one is cut; undefined where it tells none, or nonsense.
 *
 * @example
 * plausibleMs(40, 50); // 40
 * plausibleMs(1e12, 50); // 150
 * plausibleMs(-1, 50); // undefined
 *
 * @param elapsedMs from sending the call to its answer
 */
export function plausibleMs(toldMs: unknown, elapsedMs: number): number | undefined {
  if (typeof toldMs !== "number" || !(toldMs >= 0)) return undefined;
  return Math.min(toldMs, Math.max(0, elapsedMs) + clocksApartMs);
}

function numberIn(headers: ReplyHeaders, name: string): number | undefined {
  const text = headers[name];
  return typeof text === "string" ? timeIn(text) : undefined;
}

function timeIn(text = ""): number | undefined {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  return value >= 0 && value < Infinity ? value : undefined;
}
