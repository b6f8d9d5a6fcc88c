/**
 * The front door of a daemon in one of its lives: it publishes what callers bring, and answers those who wait. A caller that
 * brings a job gets an id, with which any daemon finds the result.
 */
import type { SwarmConnection } from "./swarm-connection.ts";
import { partOf, type Split } from "../../../client/targets/share-out.ts";
import { queueOf, type Result } from "./message-server.ts";
import type { SwarmCall, SwarmRules } from "./swarm-world.ts";

/** How a caller was answered. */
export type SwarmEnd =
  | { readonly kind: "answered"; readonly answer: number }
  /** With an error, after which the caller may try again, or not. */
  | { readonly kind: "refused"; readonly code: string };

/** A front waits so long for the server to take a request, and looks so often for a result that it did not hear of. */
const publishMs = 3_000;
const lookEveryMs = 1_000;
/** Time that a result has on its way after the deadline. */
export const graceMs = 1_000;

export interface CallTold {
  /** The id of an accepted job. */
  readonly accepted: (id: string) => void;
  readonly ended: (end: SwarmEnd) => void;
}

interface OpenCall {
  readonly told: CallTold;
}

export class SwarmFront {
  readonly #connection: SwarmConnection;
  readonly #rules: SwarmRules;
  readonly #sloMs: number;
  readonly #prefix: string;
  readonly #open = new Map<string, OpenCall>();
  /** As it has heard. */
  #split: Split = { owners: 1, parts: 1 };
  #calls = 0;

  constructor(connection: SwarmConnection, rules: SwarmRules, sloMs: number) {
    this.#connection = connection;
    this.#rules = rules;
    this.#sloMs = sloMs;
    const { name, life } = connection.process;
    this.#prefix = rules.hasUniqueIds ? `${name}~${life}` : name;
    connection.whenConnected(() => {
      connection.tell((messages) =>
        messages.listen(this.#prefix, (result) => connection.hear(() => this.#heard(result))),
      );
      connection.tell((messages) =>
        messages.watch(() => {
          const { split } = messages;
          connection.hear(() => (this.#split = split));
        }),
      );
    });
  }

  call({ model, content, kind }: SwarmCall, told: CallTold): void {
    const id = `${this.#prefix}/${this.#calls++}`;
    const nowMs = this.#connection.nowMs();
    const deadlineAtMs = kind === "job" ? undefined : nowMs + this.#sloMs;
    this.#open.set(id, { told });
    const publishUntilMs = Math.min(nowMs + publishMs, deadlineAtMs ?? Infinity);
    const { owners, parts } = this.#split;
    const queue = queueOf(model, owners === 1 ? 0 : partOf(id, parts));
    let isTaken = false;
    this.#connection.askUntilAnswered(
      (messages) => messages.publish({ id, model, queue, content, deadlineAtMs, front: this.#prefix }),
      (published) => {
        if (!this.#open.has(id)) return;
        isTaken = published !== undefined;
        if (!isTaken) this.#end(id, { kind: "refused", code: "queue_full" });
        else if (kind === "job") {
          this.#open.delete(id);
          told.accepted(id);
        } else this.#look(id);
      },
      () => this.#connection.nowMs() >= publishUntilMs,
    );
    // A caller without an answer from the server is told to come again: the request may be done in vain.
    this.#connection.process.at(publishUntilMs, () => {
      if (!isTaken) this.#end(id, { kind: "refused", code: "target_unreachable" });
    });
    if (deadlineAtMs === undefined || !this.#rules.watchesDeadlines) return;
    this.#connection.process.at(deadlineAtMs + graceMs, () =>
      this.#end(id, { kind: "refused", code: "deadline_passed" }),
    );
  }

  /** Look for the result of a job once. */
  lookUp(id: string, found: (end: SwarmEnd) => void): void {
    this.#connection.ask(
      (messages) => messages.results.get(id)?.[0],
      (result) => {
        if (result !== undefined) found(endOf(result));
      },
    );
  }

  /** The process is killed: connections of callers are reset. */
  reset(): void {
    for (const id of this.#open.keys()) this.#end(id, { kind: "refused", code: "reset" });
  }

  #look(id: string): void {
    if (!this.#open.has(id)) return;
    this.lookUp(id, (end) => this.#end(id, end));
    this.#connection.process.after(lookEveryMs, () => this.#look(id));
  }

  #heard(result: Result): void {
    this.#end(result.id, endOf(result));
  }

  #end(id: string, end: SwarmEnd): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    this.#open.delete(id);
    open.told.ended(end);
  }
}

function endOf({ answer }: Result): SwarmEnd {
  return typeof answer === "number" ? { kind: "answered", answer } : { kind: "refused", code: answer };
}
