/** What the edge server sends to its page as JSON. Moments are milliseconds of the server's clock since 1970. */

export interface EdgeReplicaNow {
  readonly index: number;
  readonly state: "starting" | "up" | "restarting" | "unhealthy" | "failed";
  readonly restarts: number;
  readonly memoryBytes: number | null;
  /** Rows that it runs now, and for how long. */
  readonly rows: number;
  readonly runningMs: number;
  readonly lastError: string | null;
}

export interface EdgeModelNow {
  readonly name: string;
  readonly version: string;
  readonly state: "READY" | "LOADING" | "UNLOADING" | "UNAVAILABLE";
  readonly reason: string;
  readonly queueRows: number;
  readonly openRequests: number;
  /** Requests since the start, and of the last minute. */
  readonly requests: number;
  readonly failed: number;
  readonly perS: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly replicas: readonly EdgeReplicaNow[];
  /** Whether its requests share runs. */
  readonly joins: boolean | null;
}

export interface EdgeNow {
  readonly nowUnixMs: number;
  readonly boot: string;
  readonly startedUnixMs: number;
  readonly headline: {
    readonly level: "ok" | "warn" | "bad";
    readonly matter: string;
    readonly text: string;
    readonly more: readonly string[];
    readonly actions: readonly string[];
  };
  readonly models: readonly EdgeModelNow[];
  /** The models that are not shown, because there are too many. */
  readonly hidden: number;
  readonly memory: {
    readonly totalBytes: number;
    readonly freeBytes: number;
    readonly ofServerBytes: number;
    readonly ofReplicasBytes: number;
    /** What models may take together; null where that is not bounded. */
    readonly budgetBytes: number | null;
    readonly usedBytes: number | null;
  };
  readonly cores: number;
  readonly load: number;
  readonly events: readonly { readonly atUnixMs: number; readonly model: string; readonly text: string }[];
}

export interface EdgeMessage {
  readonly now: EdgeNow;
}
