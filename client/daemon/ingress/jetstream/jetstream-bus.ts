/** The engine of NATS as the bus of requests: a work queue with a durable consumer for each model, and a stream of results. */
import { setTimeout as delay } from "node:timers/promises";
import type { Msg } from "@nats-io/transport-node";
import type { Logger } from "pino";
import { SpillwayError } from "../../../../base/errors.ts";
import type { Engine } from "../../../../base/nats/engine.ts";
import { sentError } from "./bus-message.ts";
import { awayError, comeBackMs, fullError } from "./bus-errors.ts";
import { apiCodes, codeOf, isFull, makeStreams, resultsMs } from "./bus-streams.ts";
import { ConsumerInfos } from "./consumer-infos.ts";
import { LargeBodies } from "./large-bodies.ts";
import type { ConsumerLimits } from "./model-consumer.ts";
import { OwnedModels } from "./owners/owned-models.ts";
import { SharedOwners } from "./owners/shared-owners.ts";
import { asHeaders, plain } from "./plain-headers.ts";
import type { BusRequest, BusResult, OwnerHandlers, Ownership, RequestBus } from "./request-bus.ts";
import { noEdges } from "./request-bus.ts";

export interface JetStreamBusOptions extends ConsumerLimits {
  /** Most bytes of all requests that wait, and of all results that are kept. */
  readonly mostStoredBytes: number;
  /** Largest body; what is larger than a message goes through an object store. Default: what a message takes. */
  readonly mostBodyBytes?: number;
  /** Most bytes of such bodies in this process. Default: of one body. */
  readonly mostHeldBytes?: number;
  /** A request that the engine does not take at once is refused: it has other places to go. Default: tried until its deadline. */
  readonly triesOnce?: boolean;
  readonly log: Pick<Logger, "info" | "warn" | "error">;
}

/** What headers take of a message. */
const headerRoom = 8_192;
const publishMs = 2_000;
const pausesMs = [50, 100, 250, 500, 1_000, 2_000] as const;
/** Withdrawals at once; a caller that leaves while there are more is only told to the owner. */
const mostWithdrawals = 64;
const mostSequences = 100_000;
const nothing = new Uint8Array();

export class JetStreamBus implements RequestBus {
  readonly mostBytes: number;
  readonly #engine: Engine;
  readonly #options: JetStreamBusOptions;
  readonly #mostMessageBytes: number;
  readonly #bodies: LargeBodies;
  /** Of requests whose body is stored, or is being stored, the name of the object. */
  readonly #stored = new Map<string, string | undefined>();
  readonly #infos: ConsumerInfos;
  /** Undefined: the server has no pins, and all daemons own all models. */
  readonly owners: SharedOwners | undefined;
  readonly #owned: OwnedModels;
  /** Of requests that may be withdrawn. */
  readonly #sequences = new Map<string, number>();
  readonly #stop = new AbortController();
  #withdrawals = 0;
  #onResult: (id: string, result: BusResult) => void = () => {};

  private constructor(engine: Engine, options: JetStreamBusOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#mostMessageBytes = engine.mostBytes - headerRoom;
    const { mostBodyBytes = 0, mostStoredBytes, mostHeldBytes = 0 } = options;
    this.mostBytes = Math.max(this.#mostMessageBytes, mostBodyBytes);
    this.#bodies = new LargeBodies({
      engine,
      mostStoredBytes,
      mostBytes: this.mostBytes,
      mostHeldBytes: Math.max(this.mostBytes, mostHeldBytes),
    });
    this.#infos = new ConsumerInfos(engine);
    const { log } = options;
    this.owners = engine.can.pins ? new SharedOwners(engine, log) : undefined;
    const [owners, infos, bodies] = [this.owners, this.#infos, this.#bodies];
    const store = (key: string, result: BusResult): Promise<boolean> => this.#store(key, result);
    this.#owned = new OwnedModels({ engine, infos, owners, limits: options, log, store, bodies });
  }

  static async open(engine: Engine, options: JetStreamBusOptions): Promise<JetStreamBus> {
    await makeStreams(engine, options.mostStoredBytes);
    const bus = JetStreamBus.reach(engine, options);
    const { connection, names } = engine;
    connection.subscribe(names.cancels.all, { callback: (_, message) => bus.#cancelled(message) });
    await connection.flush();
    bus.#infos.watchClock(bus.#stop.signal);
    bus.#bodies.sweepUntil(bus.#stop.signal);
    return bus;
  }

  /** A bus whose streams others make, such as those of a hub, which may be away now: requests are handed over, and none taken. */
  static reach(engine: Engine, options: JetStreamBusOptions): JetStreamBus {
    const bus = new JetStreamBus(engine, options);
    const { connection, name, names } = engine;
    connection.subscribe(names.results.copies(name), { callback: (_, message) => bus.#result(message) });
    return bus;
  }

  onResult(listener: (id: string, result: BusResult) => void): void {
    this.#onResult = listener;
  }

  async submit(request: BusRequest): Promise<void> {
    if (request.body.byteLength <= this.#mostMessageBytes) return this.#publish(request);
    try {
      await this.#publish(await this.#storedRequest(request));
    } catch (error) {
      this.#forgetBody(request.id);
      throw error;
    }
  }

  async #publish(request: BusRequest): Promise<void> {
    const { js, name, names, can } = this.#engine;
    const { id, model, headers, body, withinMs } = request;
    const subject = names.requests.subject(model, name, id, this.owners?.partFor(model, id));
    const ttl = can.deadlines ? { ttl: `${Math.max(1, Math.ceil(withinMs / 1_000))}s` } : {};
    const untilMs = performance.now() + withinMs;
    for (let attempt = 0; ; attempt++) {
      try {
        const ack = await js.publish(subject, body, {
          msgID: `${name}.${id}`,
          headers: asHeaders(headers),
          timeout: Math.min(publishMs, Math.max(1, withinMs)),
          ...ttl,
        });
        this.#sequences.set(id, ack.seq);
        if (this.#sequences.size > mostSequences) this.#sequences.delete(firstOf(this.#sequences) as string);
        return;
      } catch (error) {
        const code = codeOf(error);
        // The first attempt came through, and its answer did not.
        if (code === apiCodes.storeFailed && attempt > 0 && /per subject/.test((error as Error).message))
          return;
        if (code === apiCodes.storeFailed || code === apiCodes.noStorage) throw fullError(error);
        const isLast = this.#options.triesOnce === true || performance.now() > untilMs;
        if (code !== undefined || this.#stop.signal.aborted || isLast) throw awayError(error);
        await delay(pauseOf(attempt));
        if (performance.now() > untilMs) throw awayError(error);
      }
    }
  }

  withdraw({ id }: Pick<BusRequest, "id" | "model">): void {
    const { connection, manager, name, names, isConnected } = this.#engine;
    const sequence = this.#sequences.get(id);
    this.#forgetBody(id);
    if (!isConnected) return;
    connection.publish(names.cancels.subject(name, id));
    if (sequence === undefined || this.#withdrawals >= mostWithdrawals) return;
    this.#withdrawals++;
    void manager.streams
      .deleteMessage(names.requests.stream, sequence, false)
      .catch(() => false)
      .finally(() => void this.#withdrawals--);
  }

  async resultOf(id: string): Promise<BusResult | undefined> {
    const { manager, name, names } = this.#engine;
    const query = { last_by_subj: names.results.subject(name, id) };
    const found = await manager.direct.getMessage(names.results.stream, query);
    if (found === null) return undefined;
    const told = { headers: plain(found.header), body: found.data };
    return this.#bodies.nameIn(told.headers) === undefined ? told : this.#fetched(told);
  }

  settle(id: string, result: BusResult): Promise<boolean> {
    return this.#store(`${this.#engine.name}.${id}`, result);
  }

  knows(model: string): Promise<boolean> {
    return this.#infos.exists(model);
  }

  hasOwner(model: string): Promise<boolean> {
    return this.#infos.hasOwner(model);
  }

  own(model: string, handlers: OwnerHandlers, edges = noEdges): Ownership {
    return this.#owned.own(model, handlers, edges);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#owned.close();
  }

  /** Tries until it is stored, or there is one. */
  async #store(key: string, result: BusResult): Promise<boolean> {
    const [front = "", id = ""] = key.split(".");
    const { names } = this.#engine;
    let sent: BusResult | undefined;
    for (let attempt = 0; ; attempt++) {
      try {
        sent ??= await this.#sendable(key, result);
        const { headers, body } = sent;
        await this.#engine.js.publish(names.results.subject(front, id), body, {
          headers: asHeaders(headers),
          timeout: publishMs,
          expect: { lastSubjectSequence: 0 },
        });
        return true;
      } catch (error) {
        const code = codeOf(error);
        if (code === apiCodes.wrongLastSequence || code === apiCodes.wrongLastSequenceUnknown) {
          this.#removeBody(sent?.headers ?? {});
          return false;
        }
        if (this.#stop.signal.aborted) throw error;
        if (attempt === pausesMs.length)
          this.#options.log.error(
            { why: (error as Error).message },
            "a result cannot be stored; trying again",
          );
        await delay(pauseOf(attempt));
      }
    }
  }

  #result(message: Msg): void {
    const id = message.subject.split(".").at(-1) as string;
    this.#sequences.delete(id);
    this.#forgetBody(id);
    const told = { headers: plain(message.headers), body: message.data };
    if (this.#bodies.nameIn(told.headers) === undefined) return this.#onResult(id, told);
    // One that cannot be fetched now is looked for once its request is overdue.
    void this.#fetched(told).then(
      (result) => result !== undefined && this.#onResult(id, result),
      () => {},
    );
  }

  /** A request whose body is in the store instead. */
  async #storedRequest(request: BusRequest): Promise<BusRequest> {
    const { id, headers, body, withinMs } = request;
    const startedAtMs = performance.now();
    this.#stored.set(id, undefined);
    try {
      const stored = await this.#bodies.put(`q.${this.#engine.name}.${id}`, body, withinMs);
      if (!this.#stored.has(id)) {
        this.#removeBody(stored.headers);
        throw new SpillwayError("cancelled");
      }
      this.#stored.set(id, stored.name);
      const leftMs = withinMs - (performance.now() - startedAtMs);
      if (leftMs <= 0) throw new SpillwayError("deadline_passed", "its body was stored too late");
      return { ...request, headers: { ...headers, ...stored.headers }, body: nothing, withinMs: leftMs };
    } catch (error) {
      if (error instanceof SpillwayError) throw error;
      throw isFull(error) ? fullError(error) : awayError(error);
    }
  }

  /** A result as it is, or one whose body is in the store instead. */
  async #sendable(key: string, result: BusResult): Promise<BusResult> {
    const { headers, body } = result;
    if (body.byteLength <= this.#mostMessageBytes) return result;
    try {
      const stored = await this.#bodies.put(`a.${key}`, body, resultsMs);
      return { headers: { ...headers, ...stored.headers }, body: nothing };
    } catch (error) {
      if (!isFull(error)) throw error;
      const why = `the NATS server has no room for the answer of ${body.byteLength} bytes (--join-mib)`;
      return sentError(new SpillwayError("target_unavailable", why, { retryAfterMs: comeBackMs }));
    }
  }

  /** The result with its body, which is removed; undefined: it is not there any more. */
  async #fetched(told: BusResult): Promise<BusResult | undefined> {
    const name = this.#bodies.nameIn(told.headers) as string;
    const fetched = await this.#bodies.fetch(name, this.#stop.signal);
    if (fetched === undefined) return undefined;
    this.#removeBody(told.headers);
    fetched.done();
    return { headers: told.headers, body: fetched.body };
  }

  /** The request has its answer, or nobody waits for one. */
  #forgetBody(id: string): void {
    const name = this.#stored.get(id);
    this.#stored.delete(id);
    if (name !== undefined) void this.#bodies.remove(name).catch(() => {});
  }

  #removeBody(headers: BusResult["headers"]): void {
    const name = this.#bodies.nameIn(headers);
    if (name !== undefined) void this.#bodies.remove(name).catch(() => {});
  }

  #cancelled({ subject }: Msg): void {
    const [front, id] = subject.split(".").slice(-2);
    this.#owned.cancelled(`${front}.${id}`);
  }
}

function pauseOf(attempt: number): number {
  return pausesMs[Math.min(attempt, pausesMs.length - 1)] as number;
}

function firstOf(map: ReadonlyMap<string, unknown>): string | undefined {
  return map.keys().next().value;
}
