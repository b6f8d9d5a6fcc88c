/** The bodies that a load sends: made before it starts and then taken in turn, so that making them costs no time in it. */
import { encodeInferRequest } from "../../protocol/encode.ts";
import type { InferRequest, WireBody } from "../../protocol/message.ts";
import { stackRequests } from "../../protocol/stack.ts";

/** Bodies of this many other sizes are kept. */
const mostSizes = 64;

export class BodyCycle {
  readonly #requests: readonly InferRequest[];
  readonly #bodies: readonly WireBody[];
  readonly #larger = new Map<number, WireBody>();
  #next = 0;

  /** @param requests one or more, each of one row, that may share a batch */
  constructor(requests: readonly InferRequest[]) {
    if (requests.length === 0) throw new RangeError("requests has 0 entries; 1 or more are allowed");
    this.#requests = requests;
    this.#bodies = requests.map((request) => encodeInferRequest(request, { binary: true }));
  }

  /** Bytes of a body of one row, on average. */
  get meanBytes(): number {
    return this.#bodies.reduce((sum, { body }) => sum + body.byteLength, 0) / this.#bodies.length;
  }

  /** @param rows 1 or more */
  next(rows: number): WireBody {
    if (rows > 1) return this.#ofRows(rows);
    const body = this.#bodies[this.#next] as WireBody;
    this.#next = (this.#next + 1) % this.#bodies.length;
    return body;
  }

  #ofRows(rows: number): WireBody {
    const kept = this.#larger.get(rows);
    if (kept !== undefined) return kept;
    const parts = Array.from({ length: rows }, (_, row) => this.#requests[row % this.#requests.length]);
    const body = encodeInferRequest(stackRequests(parts as InferRequest[]), { binary: true });
    if (this.#larger.size >= mostSizes) this.#larger.clear();
    this.#larger.set(rows, body);
    return body;
  }
}
