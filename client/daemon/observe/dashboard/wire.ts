/**
 * What the daemon sends to its dashboard as JSON. Moments are milliseconds of the daemon's clock since 1970, so that a page
 * on a machine whose clock is wrong shows the daemon's times.
 */

/** Values over time: a row for each bin, with a value for each column; null where there is none. */
export interface WireSeries {
  readonly stepMs: number;
  /** When the first row's bin began. */
  readonly fromUnixMs: number;
  readonly columns: readonly WireColumn[];
  readonly rows: readonly (readonly (number | null)[])[];
}

/** What a column holds, and of which lane or target. */
export interface WireColumn {
  readonly of: SeriesKind;
  /** "" for all together. */
  readonly name: string;
}

/**
 * Of each bin: requests that arrived, and that ended in time, late, refused, failed and cancelled; what calls cost, and what
 * functions alone would have cost; quantiles of the latency of answered requests by lane ("*": of all) in milliseconds; rows
 * that wait, by lane; requests that were answered, by target.
 */
export type SeriesKind =
  | "arrivals"
  | "inTime"
  | "late"
  | "refused"
  | "failed"
  | "cancelled"
  | "cost"
  | "alone"
  | "p50"
  | "p95"
  | "p99"
  | "queue"
  | "answered";

export interface WireLane {
  /** "" for requests without a lane. */
  readonly name: string;
  readonly sloMs: number;
  readonly requests: number;
  readonly rows: number;
}

/** How far the policy's expectations of a target's last batches were off; times are measured less expected. */
export interface WireErrors {
  readonly batches: number;
  readonly meanMs: number;
  /** Mean of the size of the errors. */
  readonly typicalMs: number;
}

export interface WireTarget {
  readonly name: string;
  readonly kind: "edge" | "serverless";
  /** Its address; "" where it is not known. */
  readonly at: string;
  readonly health: "healthy" | "paused" | "probing" | "excluded" | "unreachable";
  /** Since when it is in that state, or near it: paused and probing are one. */
  readonly sinceUnixMs: number;
  readonly why?: string;
  readonly inFlight: number;
  /** Requests and batches that it answered in the last five minutes, batches that failed, and what it cost. */
  readonly answered: number;
  readonly batches: number;
  readonly failed: number;
  readonly cost: number;
  /** What is believed of it for the model that is asked for most; absent where nothing is. */
  readonly belief?: {
    readonly model: string;
    readonly rows: number;
    readonly serviceMs: number;
    readonly oneRowMs: number;
    readonly rttMs: number;
    readonly rowUploadMs: number;
    readonly marginMs: number;
    readonly slowness: number;
    readonly isMeasured: boolean;
  };
  readonly serviceError?: WireErrors;
  readonly linkError?: WireErrors;
}

/** Batches of the last minutes by target and size. */
export interface WireBatches {
  /** The largest size of each class; the last one has no bound, which is null. */
  readonly mostRows: readonly (number | null)[];
  readonly targets: readonly { readonly name: string; readonly counts: readonly number[] }[];
}

export interface WireMoney {
  readonly currency: string;
  /** Per hour, as of the last five minutes; `alone` is null where it is not known. */
  readonly perHour: number;
  readonly alonePerHour: number | null;
  readonly hour: { readonly spent: number; readonly limit: number | null };
  readonly day: { readonly spent: number; readonly limit: number | null };
  readonly isReached: boolean;
  /** Whether anything can cost money at all. */
  readonly hasFunctions: boolean;
}

export interface WireModel {
  readonly name: string;
  readonly requests: number;
  readonly inTime: number;
  readonly missed: number;
  readonly meanMs: number | null;
}

/** A plan, or a target that came or went. */
export interface WireChange {
  readonly id: number;
  readonly atUnixMs: number;
  readonly cause: "start" | "changepoint" | "drift" | "targets" | "heartbeat" | "added" | "removed";
  /** "" where it concerns all. */
  readonly model: string;
  readonly text: string;
  readonly ratePerS?: number;
  readonly isAdopted?: boolean;
}

export interface WireDecision {
  readonly id: number;
  readonly atUnixMs: number;
  readonly kind: "sent" | "refused" | "postponed" | "not admitted";
  readonly model: string;
  readonly requests: number;
  readonly rows: number;
  /** Absent where nothing was sent. */
  readonly target?: string;
  /** In a few words. */
  readonly short: string;
  /** How it ended: null while it is under way. */
  readonly result: {
    readonly isOk: boolean;
    readonly tookMs: number;
    readonly cost: number;
    readonly error?: string;
  } | null;
}

/** What there is to say of a decision when it is opened. */
export interface WireDecisionDetail extends WireDecision {
  /** In sentences. */
  readonly reason: string;
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** Each target as the policy saw it. */
  readonly targets: readonly {
    readonly name: string;
    readonly health: string;
    readonly inFlight: number;
    readonly maxInFlight: number;
  }[];
}

export interface WireHeadline {
  readonly level: "ok" | "warn" | "bad";
  /** The same as long as the same is the matter, whatever the figures. */
  readonly matter: string;
  readonly text: string;
  /** More sentences, one a line. */
  readonly more: readonly string[];
  /** What to do; empty where nothing is. */
  readonly actions: readonly string[];
}

/** What is true now. */
export interface WireNow {
  readonly nowUnixMs: number;
  /** Another one after each start of the daemon. */
  readonly boot: string;
  readonly startedUnixMs: number;
  readonly state: "starting" | "serving" | "closing";
  readonly sloMs: number;
  readonly sloQuantile: number | null;
  readonly policy: string;
  readonly headline: WireHeadline;
  readonly lanes: readonly WireLane[];
  readonly targets: readonly WireTarget[];
  readonly batches: WireBatches;
  readonly money: WireMoney;
  readonly models: readonly WireModel[];
  /** Requests of the last five minutes, and the span that there is, up to five minutes. */
  readonly recent: {
    readonly spanMs: number;
    readonly arrived: number;
    readonly inTime: number;
    readonly late: number;
    readonly refused: number;
    readonly failed: number;
    readonly p99Ms: number | null;
  };
  /** Event streams that are open. */
  readonly viewers: number;
}

/** A message of the stream: all there is (event `full`), or what came since the last one (`next`). */
export interface WireMessage {
  readonly now: WireNow;
  /** The last ten minutes by second, and the last six hours by half minute. */
  readonly fine: WireSeries;
  readonly coarse: WireSeries;
  readonly changes: readonly WireChange[];
  readonly decisions: readonly WireDecision[];
}
