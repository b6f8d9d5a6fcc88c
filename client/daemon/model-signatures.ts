/**
 * Whether targets describe a model alike: its inputs and outputs by name, datatype and shape. A request that one version of
 * a model refuses may suit another.
 */
import { createHash } from "node:crypto";
import { Lru } from "../../base/memory/lru.ts";
import { jsonIn } from "../transports/reply-text.ts";
import type { HttpReply } from "../transports/http-transport.ts";

export class ModelSignatures {
  /** By model, then by edge in order, what the edge described last. */
  readonly #atEdges: Lru<string, (string | undefined)[]>;
  /** A body is kept as long as its answer is, so each is read once. */
  readonly #read = new WeakMap<Uint8Array, string>();

  constructor(mostModels: number) {
    this.#atEdges = new Lru(mostModels);
  }

  /** @param replies what each edge answers now; one that is away keeps what it said last */
  note(model: string, replies: readonly (HttpReply | undefined)[]): void {
    const before = this.#atEdges.get(model) ?? [];
    const signatures = replies.map((reply, index) => {
      if (reply === undefined || reply.status >= 500) return before[index];
      return reply.status === 200 ? this.#of(reply.body) : undefined;
    });
    this.#atEdges.set(model, signatures);
  }

  /** Another edge has that number from now on, or none. */
  forget(edge: number): void {
    for (const signatures of this.#atEdges.values()) signatures[edge] = undefined;
  }

  /** @param atFunctions what functions answered last; asked for where edges say something only */
  areAlike(model: string, atFunctions: () => readonly (HttpReply | undefined)[]): boolean {
    let first: string | undefined;
    for (const signature of this.#atEdges.get(model) ?? []) {
      if (signature === undefined) continue;
      first ??= signature;
      if (signature !== first) return false;
    }
    for (const reply of atFunctions()) {
      if (reply === undefined) continue;
      const signature = this.#of(reply.body);
      first ??= signature;
      if (signature !== first) return false;
    }
    return true;
  }

  #of(body: Uint8Array): string {
    let signature = this.#read.get(body);
    if (signature === undefined) {
      const { inputs, outputs } = (jsonIn(body) ?? {}) as { inputs?: unknown; outputs?: unknown };
      const described = JSON.stringify([tensorsIn(inputs), tensorsIn(outputs)]);
      signature = createHash("sha256").update(described).digest("base64");
      this.#read.set(body, signature);
    }
    return signature;
  }
}

/** In the order of their names, because servers differ in theirs. */
function tensorsIn(list: unknown): unknown[] {
  if (!Array.isArray(list)) return [];
  return list
    .map((entry) => {
      const { name, datatype, shape } = (entry ?? {}) as Readonly<Record<string, unknown>>;
      return [String(name), datatype, shape];
    })
    .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
}
