/** A link's upload direction: a FIFO pipe, through which the batches for one class of targets go one after another. */
import { uploadMs } from "../../client/policies/measured-target.ts";
import type { Faults, LinkName } from "./faults.ts";
import type { LinkSpec } from "./scenario.ts";

/** The way of a batch to its target. */
export interface Upload {
  readonly uploadStartMs: number;
  readonly uploadEndMs: number;
  /** When the batch is at its target. */
  readonly reachMs: number;
}

export class Link {
  /** Half the round trip: how long anything takes from one end to the other. */
  readonly oneWayMs: number;
  readonly #name: LinkName;
  readonly #rowMs: number;
  readonly #faults: Faults;
  #freeAtMs = 0;

  constructor(name: LinkName, { rttMs, uplinkMbps }: LinkSpec, rowBytes: number, faults: Faults) {
    this.oneWayMs = rttMs / 2;
    this.#name = name;
    this.#rowMs = uploadMs(rowBytes, uplinkMbps);
    this.#faults = faults;
  }

  /** Send a batch that is formed at `formedAtMs`, which is never before that of the call before. */
  upload(formedAtMs: number, rows: number): Upload {
    const uploadStartMs = Math.max(formedAtMs, this.#freeAtMs);
    const slow = this.#faults.linkSlowFactor(this.#name, uploadStartMs);
    const uploadEndMs = uploadStartMs + rows * this.#rowMs * slow;
    this.#freeAtMs = uploadEndMs;
    return { uploadStartMs, uploadEndMs, reachMs: uploadEndMs + this.oneWayMs };
  }
}
