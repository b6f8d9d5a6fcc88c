/**
 * Sorts the output lines of an instance by call. A line that contains the request id of a running call belongs to that
 * call. Any other line is added to every running call, because several may run at a time.
 */

/** Characters that are kept of each call, and of the instance. */
const maxTailLength = 4096;

interface CallLog {
  tail: string;
  /** What the function's marks say; without marks the end of a call's log is unknown. */
  state: "unmarked" | "begun" | "ended";
  /** Called at the end mark. */
  onEnd: (() => void) | undefined;
}

export class CallLogs {
  readonly #calls = new Map<string, CallLog>();
  #recent = "";

  /** The end of all output of the instance. */
  get recent(): string {
    return this.#recent;
  }

  begin(requestId: string): void {
    this.#calls.set(requestId, { tail: "", state: "unmarked", onEnd: undefined });
  }

  line(line: string): void {
    this.#recent = appended(this.#recent, line);
    const [, event, requestId = ""] = /^FC Invoke (Start|End) RequestId: (\S+)/.exec(line) ?? [];
    const marked = this.#calls.get(requestId);
    if (marked !== undefined) marked.state = event === "Start" ? "begun" : "ended";
    const named = Array.from(this.#calls).find(([id]) => line.includes(id))?.[1];
    for (const call of named === undefined ? this.#calls.values() : [named]) {
      call.tail = appended(call.tail, line);
    }
    if (marked?.state === "ended") marked.onEnd?.();
  }

  /** Fulfilled at a call's end mark; at once when the function has not marked its begin. */
  settled(requestId: string): Promise<void> {
    const call = this.#calls.get(requestId);
    if (call?.state !== "begun") return Promise.resolve();
    return new Promise((resolve) => {
      call.onEnd = resolve;
    });
  }

  /** The output of a call; the call is then forgotten. */
  take(requestId: string): string {
    const tail = this.#calls.get(requestId)?.tail ?? "";
    this.#calls.delete(requestId);
    return tail;
  }
}

function appended(tail: string, line: string): string {
  return `${tail}${line}\n`.slice(-maxTailLength);
}
