/** What the headers of a function's reply tell of the call: how long it ran, what is billed, whether it was cold. */

/** By names in lower case. */
export type ReplyHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Instances that are remembered by one target. */
const maxInstances = 4_096;

/** Tells instances that were never met; the one that is longest unmet is forgotten first. */
export class MetInstances {
  readonly #ids = new Set<string>();

  /** Note an instance. True when it was not known. */
  isNew(id: string): boolean {
    // Taken out first, so that the set stays in the order of use.
    const wasKnown = this.#ids.delete(id);
    this.#ids.add(id);
    if (this.#ids.size > maxInstances) this.#ids.delete(this.#ids.values().next().value as string);
    return !wasKnown;
  }
}

/**
 * How long the instance took to start for this call, in milliseconds: 0 when it was warm, or nothing is said of
 * instances; undefined when it is one that was never met, and how long it took is not said. Function Compute has no header
 * for cold starts, our function host has.
 */
export function coldStartOf(headers: ReplyHeaders, met: MetInstances): number | undefined {
  const id = headers["x-fc-instance-id"];
  const isNew = typeof id === "string" && met.isNew(id);
  return numberIn(headers, "x-spillway-cold-start-ms") ?? (isNew ? undefined : 0);
}

/** False when it is told that the instance of this call was up before. */
export function mayHaveStarted(headers: ReplyHeaders, coldStartMs: number | undefined): boolean {
  const told = headers["x-fc-instance-id"] ?? headers["x-spillway-cold-start-ms"];
  return coldStartMs !== 0 || told === undefined;
}

/** How long the function ran, in milliseconds, as its platform measured it; undefined when it does not say. */
export function durationOf(headers: ReplyHeaders): number | undefined {
  const inMs = numberIn(headers, "x-fc-invocation-duration");
  if (inMs !== undefined) return inMs;
  // OpenFaaS
  const inS = numberIn(headers, "x-duration-seconds");
  return inS === undefined ? inLogTail(headers, /(?<!Billed )Duration: ([0-9.]+) ms/g) : inS * 1_000;
}

/** The time that is billed, in milliseconds; what it is rounded to is the price sheet's affair. */
export function billedOf(headers: ReplyHeaders): number | undefined {
  return inLogTail(headers, /Billed Duration: ([0-9.]+) ms/g) ?? durationOf(headers);
}

/** The platform's line comes last; before it is what the function printed. */
function inLogTail(headers: ReplyHeaders, pattern: RegExp): number | undefined {
  const encoded = headers["x-fc-log-result"];
  if (typeof encoded !== "string") return undefined;
  const found = [...Buffer.from(encoded, "base64").toString().matchAll(pattern)].at(-1);
  return found === undefined ? undefined : timeIn(found[1]);
}

function numberIn(headers: ReplyHeaders, name: string): number | undefined {
  const text = headers[name];
  return typeof text === "string" ? timeIn(text) : undefined;
}

function timeIn(text = ""): number | undefined {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  return value >= 0 && value < Infinity ? value : undefined;
}
