/** The upload direction of a link: a FIFO pipe for the batches to one class of targets. */
import { uploadMs } from "../../client/policies/measured-target.ts";
import type { LinkSpec } from "./scenario.ts";

/** The upload of a batch to its target. */
export interface BatchUpload {
  readonly uploadStartMs: number;
  readonly uploadEndMs: number;
  /** When the batch reaches its target. */
  readonly reachMs: number;
}

export class Link {
  /** Half the round trip: the delay from one end to the other. */
  readonly oneWayMs: number;
  readonly #rowMs: number;
  readonly #slowFactor: (atMs: number) => number;
  #freeAtMs = 0;

  /** @param slowFactor factor on the time of an upload that starts at `atMs` */
  constructor(
    { rttMs, uplinkMbps, rowBytes }: LinkSpec & { readonly rowBytes: number },
    slowFactor: (atMs: number) => number,
  ) {
    this.oneWayMs = rttMs / 2;
    this.#rowMs = uploadMs(rowBytes, uplinkMbps);
    this.#slowFactor = slowFactor;
  }

  /**
   * Send a batch that is formed at `formedAtMs`. Calls must be in order of `formedAtMs`.
   *
   * @example With a round trip of 4 ms and 1 ms of upload a row:
   * link.upload(0, 3); // { uploadStartMs: 0, uploadEndMs: 3, reachMs: 5 }
   * link.upload(1, 1); // { uploadStartMs: 3, uploadEndMs: 4, reachMs: 6 }
   */
  upload(formedAtMs: number, rows: number): BatchUpload {
    const uploadStartMs = Math.max(formedAtMs, this.#freeAtMs);
    const slow = this.#slowFactor(uploadStartMs);
    const uploadEndMs = uploadStartMs + rows * this.#rowMs * slow;
    this.#freeAtMs = uploadEndMs;
    return { uploadStartMs, uploadEndMs, reachMs: uploadEndMs + this.oneWayMs };
  }
}
