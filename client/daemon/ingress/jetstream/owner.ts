/**
 * The owner of a model's shared queue: what it is given goes to the daemon's own queue and policy, and becomes a result. A
 * request is acknowledged when its result is stored, or was there already, so that none is lost and each counts once.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { SpillwayError } from "../../../../base/errors.ts";
import type { InferRequest } from "../../../../protocol/message.ts";
import { checkNoSequence } from "../../../../protocol/message.ts";
import type { MessageCodec } from "../../../../protocol/server/message-codec.ts";
import type { Daemon } from "../../daemon.ts";
import { metadataOf, tensorBytes } from "../served-answer.ts";
import { requestFacts, sentAnswer, sentError, wireOf, withId } from "./bus-message.ts";
import type { BusResult, BusDelivery, OfferedEdges, Ownership, RequestBus } from "./request-bus.ts";

export interface OwnerOptions {
  readonly model: string;
  readonly bus: RequestBus;
  readonly daemon: Pick<Daemon, "submitHere" | "models" | "recent">;
  readonly codec: MessageCodec;
  /** Half or a third of the time after which the engine gives a request to another. */
  readonly workingMs: number;
  readonly log: Pick<Logger, "warn" | "error">;
  readonly counts: OwnerCounts;
  /** That the daemon reaches for the model. Default: none. */
  readonly edges?: OfferedEdges | undefined;
}

export interface OwnerCounts {
  taken: number;
  /** Delivered before, to this owner or another. */
  again: number;
  answered: number;
  failed: number;
  /** Whose result did not count, because there was one. */
  doubled: number;
  expired: number;
}

/** After so many deliveries a request is given up: it may be what ends its owners. */
const mostDeliveries = 10;
const noRoomMs = 100;
/** When a request is tried again that no target could be reached for, such as functions while the uplink is cut. */
const unreachableMs = 1_000;

export class Owner {
  readonly #options: OwnerOptions;
  readonly #ownership: Ownership;
  readonly #inWork = new Map<string, AbortController>();
  #emptied: (() => void) | undefined;

  constructor(options: OwnerOptions) {
    this.#options = options;
    this.#ownership = options.bus.own(
      options.model,
      {
        take: (delivery) => void this.#take(delivery),
        cancel: (key) => this.#inWork.get(key)?.abort(),
      },
      options.edges,
    );
  }

  /** Takes nothing more; resolves when what was taken has its results. */
  async leave(): Promise<void> {
    await this.#ownership.leave();
    if (this.#inWork.size > 0) await new Promise<void>((resolve) => (this.#emptied = resolve));
  }

  async #take(delivery: BusDelivery): Promise<void> {
    const { counts, log, model, workingMs } = this.#options;
    const { key, deliveries, isExpired } = delivery;
    // It is here twice: in work it has its time, and its result is on its way.
    if (this.#inWork.has(key)) {
      if (isExpired) delivery.drop();
      return;
    }
    const cancelled = new AbortController();
    this.#inWork.set(key, cancelled);
    const timer = setInterval(() => delivery.working(), workingMs);
    counts.taken++;
    if (deliveries > 1) counts.again++;
    try {
      const isFirst = await delivery.finish(await this.#result(delivery, cancelled.signal));
      if (!isFirst) counts.doubled++;
    } catch (error) {
      log.warn(
        { model, why: (error as Error).message },
        "a result was not stored; the request is done again",
      );
    } finally {
      clearInterval(timer);
      this.#inWork.delete(key);
      if (this.#inWork.size === 0) this.#emptied?.();
    }
  }

  /** Never rejects. */
  async #result(delivery: BusDelivery, cancelled: AbortSignal): Promise<BusResult> {
    const { bus, counts, daemon } = this.#options;
    let id: string | undefined;
    const onNumber = (request: number): void => void (id = daemon.recent.idOf(request));
    try {
      if (delivery.isExpired) {
        counts.expired++;
        throw new SpillwayError("deadline_passed");
      }
      if (delivery.deliveries > mostDeliveries)
        throw new SpillwayError(
          "target_fault",
          `it was given up after ${mostDeliveries} deliveries, whose owners ended before they answered`,
        );
      const result = await this.#answer(delivery, cancelled, onNumber);
      if (result.body.byteLength > bus.mostBytes)
        throw new SpillwayError(
          "answer_rejected",
          `the answer has ${result.body.byteLength} bytes; allowed: ${bus.mostBytes}, from --max-answer-mib and max_payload of the NATS server`,
        );
      counts.answered++;
      return withId(result, id);
    } catch (error) {
      counts.failed++;
      return withId(sentError(error), id ?? daemon.recent.turnedAway(error));
    }
  }

  async #answer(
    { headers, body, ageMs }: BusDelivery,
    cancelled: AbortSignal,
    onNumber: (request: number) => void,
  ): Promise<BusResult> {
    const { codec, daemon, model } = this.#options;
    const { withinMs, hints } = requestFacts(headers);
    const wire = wireOf({ headers, body });
    const metadata =
      wire.headerBytes === 0 ? await metadataOf(daemon.models, model).catch(() => undefined) : undefined;
    const request = await codec.read(wire, metadata, cancelled);
    checkNoSequence(request);
    const takenAtMs = performance.now();
    for (;;) {
      const leftMs = withinMs === undefined ? undefined : withinMs - ageMs - (performance.now() - takenAtMs);
      if (leftMs !== undefined && leftMs <= 0) throw new SpillwayError("deadline_passed");
      try {
        const call = {
          model,
          request: withoutTimeout(request, leftMs),
          bytes: tensorBytes(request.inputs),
          hints,
          onNumber,
        };
        const served = await daemon.submitHere({ ...call, withinMs: leftMs }, cancelled);
        return await sentAnswer(served, request, headers, codec);
      } catch (error) {
        // The shared queue is where a request waits that finds no room here, or whose targets cannot be reached for now.
        const pauseMs = hasNoRoom(error) ? noRoomMs : isUnreachable(error) ? unreachableMs : undefined;
        if (pauseMs === undefined || leftMs === undefined) throw error;
        if (pauseMs >= leftMs && isUnreachable(error)) throw error;
        await delay(Math.min(pauseMs, leftMs), undefined, { signal: cancelled });
      }
    }
  }
}

/** Its own time began at its front. */
function withoutTimeout(request: InferRequest, leftMs: number | undefined): InferRequest {
  if (leftMs === undefined || request.parameters["timeout"] === undefined) return request;
  const timeout = Math.max(1, Math.round(leftMs * 1_000));
  return { ...request, parameters: { ...request.parameters, timeout } };
}

function isUnreachable(error: unknown): boolean {
  return error instanceof SpillwayError && error.code === "target_unreachable";
}

function hasNoRoom(error: unknown): boolean {
  return error instanceof SpillwayError && (error.code === "queue_full" || error.code === "queue_starting");
}
