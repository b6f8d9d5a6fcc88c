/**
 * How right the policy's expectations of single batches were: what it took a batch's service time and its way to be as it
 * was sent, beside what came. Only told to others; no decision rests on it.
 */
import type { LinkModel } from "../../../algorithms/network/link-model.ts";
import { TurnoverMap } from "../../../base/memory/turnover-map.ts";
import type { EndedBatch, SentBatch } from "../policy.ts";
import type { PredictionError } from "../policy-inputs.ts";
import type { EdgeModel } from "./edge-model.ts";
import type { FunctionModel } from "./functions/function-model.ts";

interface Expected {
  readonly target: string;
  readonly serviceMs: number;
  /** When the answer would be back if the target took no time. */
  readonly backAtMs: number;
}

export class Predictions {
  readonly #tell: ((error: PredictionError) => void) | undefined;
  /** By batch id; no more than are under way. */
  readonly #expected = new TurnoverMap<number, Expected>();

  /** @param tell undefined: nobody asks, and nothing is kept */
  constructor(tell: ((error: PredictionError) => void) | undefined) {
    this.#tell = tell;
  }

  /** @param model that the batch was given to before */
  sentToEdge({ id, rows }: SentBatch, { service, profile, edge }: EdgeModel): void {
    if (this.#tell === undefined) return;
    const meanMs = service.meanMs[rows];
    const upload = edge.underWay.at(-1)?.upload;
    // Nobody has an idea how long more rows take than were ever measured.
    if (meanMs === undefined || rows > profile.maxBatchRows || upload === undefined) return;
    const serviceMs = meanMs * service.slowness;
    this.#expected.set(id, { target: profile.name, serviceMs, backAtMs: upload.endAtMs + edge.link.rttMs });
  }

  /** @param link that was given its upload before */
  called({ id, rows }: SentBatch, size: FunctionModel, link: LinkModel): void {
    if (this.#tell === undefined || rows > size.profile.maxBatchRows) return;
    const wayMs = link.rttMs + link.uploadMs(size.uploadWork(rows));
    const serviceMs = Math.max(0, size.usualMs(rows) - wayMs);
    this.#expected.set(id, { target: size.profile.name, serviceMs, backAtMs: link.freeAtMs + link.rttMs });
  }

  /** A batch whose server does not tell its times says nothing here, and neither does one that failed. */
  ended({ id, endedAtMs, times }: EndedBatch): void {
    const expected = this.#expected.get(id);
    if (expected === undefined) return;
    this.#expected.delete(id);
    const { serviceMs, serverQueuedMs = 0, coldStartMs } = times ?? {};
    if (serviceMs === undefined || coldStartMs === undefined) return;
    const { target } = expected;
    this.#tell?.({ target, of: "service", errorMs: serviceMs - expected.serviceMs });
    const backAtMs = endedAtMs - serviceMs - serverQueuedMs - coldStartMs;
    this.#tell?.({ target, of: "link", errorMs: backAtMs - expected.backAtMs });
  }
}
