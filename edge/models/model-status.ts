/** How a model and its replicas stand, for pages and programs that look after the server. */

export type ReplicaState =
  /** Its process loads the model. */
  | "starting"
  | "idle"
  | "busy"
  /** It is asked whether it lives. */
  | "pinged"
  /** It ended and is started again after a pause. */
  | "pausing"
  /** It ended too often: it is started on trial only now and then. */
  | "unhealthy"
  | "stopped";

/** The batch that a replica runs now. */
export interface RunningBatch {
  readonly rows: number;
  readonly requests: number;
  /** How long it has been running. */
  readonly runningMs: number;
}

export interface ReplicaStatus {
  /** Counts from 0. */
  readonly index: number;
  readonly state: ReplicaState;
  /** Of its process; undefined when it has none. */
  readonly pid?: number | undefined;
  /** How often it was started again. */
  readonly restarts: number;
  readonly batch?: RunningBatch | undefined;
  /** Why it last ended or failed to start. */
  readonly lastError?: string | undefined;
}

/** Something that happened to a model. */
export interface ModelEvent {
  /** Wall-clock time in milliseconds since 1970. */
  readonly atUnixMs: number;
  /** Undefined for what concerns the model as a whole. */
  readonly replica?: number | undefined;
  readonly text: string;
}

export interface ModelStatus {
  readonly name: string;
  readonly version: string;
  /**
   * `loading`: no replica was up yet. `ready`: one can answer. `down`: none can now. `unhealthy`: none can, and they
   * ended too often. `stopping`: nothing new is taken, or will soon not be.
   */
  readonly state: "loading" | "ready" | "down" | "unhealthy" | "stopping";
  /** Rows that wait for their first run. */
  readonly queueRows: number;
  readonly queueBytes: number;
  /** Requests that wait or are being run. */
  readonly openRequests: number;
  readonly replicas: readonly ReplicaStatus[];
  readonly lastError?: string | undefined;
  /** Newest first, a bounded number. */
  readonly events: readonly ModelEvent[];
}
