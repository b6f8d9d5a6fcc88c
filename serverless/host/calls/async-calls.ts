/**
 * Asynchronous calls: taken at once, run when there is room, and run again as Function Compute does, with growing pauses
 * while the platform has no instance and a few times when the function fails. Nothing of it outlives the host.
 */
import type { Caller } from "./caller.ts";
import { fcErrorStatus, functionFailed, type FunctionConfig } from "../fc-contract.ts";
import { FcRefusal } from "../fc-refusal.ts";
import type { Log } from "../log.ts";
import type { CallEnd } from "../instances/instances.ts";

/** How often and for how long a function's calls are run again. */
export interface AsyncRules {
  /** Runs after the first one of which the function failed, 0 to 8. */
  readonly maxRetryAttempts: number;
  /** From when a call was taken; what would begin later is given up. */
  readonly maxAgeMs: number;
}

/** ASSUMED: three from memory; five hours is what the documents say of throttled calls. */
export const defaultAsyncRules: AsyncRules = { maxRetryAttempts: 3, maxAgeMs: 5 * 3_600_000 };

export interface Clock {
  nowMs(): number;
  /** Do something later; the result calls it off. */
  after(ms: number, act: () => void): () => void;
}

export interface AsyncCallsOptions {
  readonly caller: Pick<Caller, "call">;
  /** @throws FcRefusal when the function is gone */
  readonly functionNamed: (name: string) => {
    readonly config: FunctionConfig;
    readonly asyncRules: AsyncRules;
  };
  /** Most that run at a time. */
  readonly atOnce: number;
  readonly clock: Clock;
  readonly log: Log;
}

export interface AsyncCall {
  readonly name: string;
  readonly requestId: string;
  /** The caller's own name for it. */
  readonly taskId: string;
  readonly body: Uint8Array;
}

interface Pending extends AsyncCall {
  readonly takenAtMs: number;
  runs: number;
  failures: number;
}

/** Calls by how they stand or ended; `givenUp` is by age, by failures, or because the host closed. */
export interface AsyncStatus {
  readonly waiting: number;
  readonly running: number;
  readonly succeeded: number;
  readonly givenUp: number;
}

const mostPending = 1_000;
const firstPauseMs = 500;

export class AsyncCalls {
  readonly #options: AsyncCallsOptions;
  readonly #pending = new Map<string, Pending>();
  /** Those that may run now, in the order in which they came to that. */
  readonly #ready: Pending[] = [];
  /** What calls off the pauses of the others. */
  readonly #pauses = new Set<() => void>();
  readonly #running = new Set<Promise<void>>();
  #succeeded = 0;
  #givenUp = 0;
  #closing = false;

  constructor(options: AsyncCallsOptions) {
    this.#options = options;
  }

  get status(): AsyncStatus {
    const running = this.#running.size;
    const waiting = this.#pending.size - running;
    return { waiting, running, succeeded: this.#succeeded, givenUp: this.#givenUp };
  }

  /** @throws FcRefusal AsyncTaskAlreadyExists, ResourceExhausted when too many are pending */
  take(call: AsyncCall): void {
    if (this.#pending.has(call.taskId)) {
      throw new FcRefusal("AsyncTaskAlreadyExists", `task ${call.taskId} is pending`);
    }
    if (this.#pending.size >= mostPending) {
      throw new FcRefusal(
        "ResourceExhausted",
        `${mostPending} asynchronous calls are pending, the most taken`,
      );
    }
    const pending = { ...call, takenAtMs: this.#options.clock.nowMs(), runs: 0, failures: 0 };
    this.#pending.set(call.taskId, pending);
    this.#ready.push(pending);
    this.#pump();
  }

  /** Let what runs end, and say what was never run to an end. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const callOff of this.#pauses) callOff();
    await Promise.all(this.#running);
    const tasks = [...this.#pending.keys()];
    if (tasks.length === 0) return;
    this.#givenUp += tasks.length;
    this.#pending.clear();
    const { log } = this.#options;
    log.warn(
      { calls: tasks.length, tasks: tasks.slice(0, 20) },
      "asynchronous calls are given up: the host closes",
    );
  }

  #pump(): void {
    while (!this.#closing && this.#running.size < this.#options.atOnce) {
      const next = this.#ready.shift();
      if (next === undefined) return;
      const run = this.#run(next);
      this.#running.add(run);
      void run.finally(() => {
        this.#running.delete(run);
        this.#pump();
      });
    }
  }

  /** Never rejects. */
  async #run(call: Pending): Promise<void> {
    const { caller, functionNamed, log } = this.#options;
    call.runs += 1;
    try {
      const { config, asyncRules } = functionNamed(call.name);
      const { requestId, body } = call;
      const retries = call.runs - 1;
      const end = await caller.call(config, { requestId, body, wantsLog: false, retries });
      const why = whyFailed(end);
      if (why === undefined) {
        this.#pending.delete(call.taskId);
        this.#succeeded += 1;
        return;
      }
      if (!isPlatforms(end)) call.failures += 1;
      if (call.failures > asyncRules.maxRetryAttempts) this.#giveUp(call, why);
      else this.#runAgain(call, asyncRules.maxAgeMs, why);
    } catch (error) {
      if (!(error instanceof FcRefusal))
        log.error({ err: error, task: call.taskId }, "an asynchronous call failed");
      this.#giveUp(call, (error as Error).message);
    }
  }

  #runAgain(call: Pending, maxAgeMs: number, why: string): void {
    const { clock } = this.#options;
    const pauseMs = firstPauseMs * 2 ** (call.runs - 1);
    if (clock.nowMs() + pauseMs - call.takenAtMs > maxAgeMs) {
      this.#giveUp(call, why);
      return;
    }
    if (this.#closing) return;
    const callOff = clock.after(pauseMs, () => {
      this.#pauses.delete(callOff);
      this.#ready.push(call);
      this.#pump();
    });
    this.#pauses.add(callOff);
  }

  #giveUp({ name, taskId, runs }: Pending, why: string): void {
    this.#pending.delete(taskId);
    this.#givenUp += 1;
    this.#options.log.warn({ function: name, task: taskId, runs, why }, "an asynchronous call is given up");
  }
}

/** Undefined when the call succeeded. */
function whyFailed(end: CallEnd): string | undefined {
  if (!end.ran) return `${end.code}: ${end.message}`;
  const { invoke } = end;
  if (invoke.end !== "replied") return `the call ended with ${invoke.end}`;
  return functionFailed(invoke.reply) ? "the function failed" : undefined;
}

/** Whether the platform is to blame, which counts for no failure of the function. */
function isPlatforms(end: CallEnd): boolean {
  return !end.ran && [429, 500, 503].includes(fcErrorStatus[end.code]);
}
