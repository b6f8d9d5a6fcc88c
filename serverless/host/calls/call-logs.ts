/**
 * What an instance prints, cut up by call. A line that names the request id of a call that runs belongs to that
 * call; with several calls at a time any other line may belong to each of them, so each gets it.
 */

/** Characters that are kept of each call, and of the instance. */
const TAIL_CHARS = 4096;

interface CallLog {
  tail: string;
  /** What the function's marks say; without marks a call's log has no known end. */
  state: "unmarked" | "begun" | "ended";
  /** Called at the end mark. */
  onEnd: (() => void) | undefined;
}

export class CallLogs {
  readonly #calls = new Map<string, CallLog>();
  #recent = "";

  /** The end of all that the instance printed. */
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

  /** Fulfilled when a call's last line is there, as far as the function marks its calls at all. */
  settled(requestId: string): Promise<void> {
    const call = this.#calls.get(requestId);
    if (call?.state !== "begun") return Promise.resolve();
    return new Promise((resolve) => {
      call.onEnd = resolve;
    });
  }

  /** What was printed of a call, and the end of it. */
  take(requestId: string): string {
    const tail = this.#calls.get(requestId)?.tail ?? "";
    this.#calls.delete(requestId);
    return tail;
  }
}

function appended(tail: string, line: string): string {
  return `${tail}${line}\n`.slice(-TAIL_CHARS);
}
