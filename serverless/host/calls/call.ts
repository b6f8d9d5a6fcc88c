/** What one call gives an instance, whichever way it came in. */

/** A request that an HTTP trigger passes through as it came. */
export interface TriggerRequest {
  readonly method: string;
  /** Path and query, as the function is to see them. */
  readonly path: string;
  /** Names in lower case; neither the platform's nor the connection's are among them. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Trouble that was asked for. */
export interface CallFault {
  /** The process is killed while it has the call. */
  readonly crash: boolean;
  /** Time that a call takes beyond its own `durationMs`, both in milliseconds. */
  readonly extraMs: (durationMs: number) => number;
}

export interface Call {
  readonly requestId: string;
  readonly body: Uint8Array;
  /** Whether the caller asked for the end of what the function prints. */
  readonly wantsLog: boolean;
  /** How often it was run before; default 0. */
  readonly retries?: number | undefined;
  /** Undefined for an event: POST /invoke. */
  readonly trigger?: TriggerRequest | undefined;
  readonly fault?: CallFault | undefined;
}
