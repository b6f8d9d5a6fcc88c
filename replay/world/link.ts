/** A link's upload direction: a FIFO pipe, through which the batches for one class of targets go one after another. */
import { uploadMs } from "../../client/policies/measured-target.ts";
import type { LinkSpec } from "./scenario.ts";

/** The way of a batch to its target. */
export interface BatchUpload {
  readonly uploadStartMs: number;
  readonly uploadEndMs: number;
  /** When the batch is at its target. */
  readonly reachMs: number;
}

export class Link {
  /** Half the round trip: how long anything takes from one end to the other. */
  readonly oneWayMs: number;
  readonly #rowMs: number;
  readonly #slowFactor: (atMs: number) => number;
  #freeAtMs = 0;

  /** @param slowFactor what the time of an upload that starts then is multiplied by */
  constructor(
    { rttMs, uplinkMbps, rowBytes }: LinkSpec & { readonly rowBytes: number },
    slowFactor: (atMs: number) => number,
  ) {
    this.oneWayMs = rttMs / 2;
    this.#rowMs = uploadMs(rowBytes, uplinkMbps);
    this.#slowFactor = slowFactor;
  }

  /** Send a batch that is formed at `formedAtMs`, which is never before that of the call before. */
  upload(formedAtMs: number, rows: number): BatchUpload {
    const uploadStartMs = Math.max(formedAtMs, this.#freeAtMs);
    const slow = this.#slowFactor(uploadStartMs);
    const uploadEndMs = uploadStartMs + rows * this.#rowMs * slow;
    this.#freeAtMs = uploadEndMs;
    return { uploadStartMs, uploadEndMs, reachMs: uploadEndMs + this.oneWayMs };
  }
}
