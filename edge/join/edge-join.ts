/**
 * An edge that joined over NATS: it tells what it serves, and takes calls from daemons that joined as well, without an open
 * port of its own. It serves its own callers whether the NATS server is there or not.
 */
import { randomBytes } from "node:crypto";
import { freemem, totalmem } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { jetstream } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import type { Hono } from "hono";
import type { Logger } from "pino";
import { answerCall } from "../../base/nats/answer-call.ts";
import { CallServer } from "../../base/nats/call-server.ts";
import { edgeLeaseMs, edgeMarkerMs } from "../../base/nats/edge-entry.ts";
import { type Engine, joinNats } from "../../base/nats/engine.ts";
import type { JoinOptions } from "../../base/nats/join-fields.ts";
import type { Environment } from "../../base/program/secrets.ts";
import { UsageError } from "../../base/usage-error.ts";
import type { EdgeFacts } from "./edge-facts.ts";
import { EdgeLease } from "./edge-lease.ts";
import { type InstallModel, TravelledModels } from "./travelled-models.ts";

export interface EdgeJoinOptions {
  readonly options: JoinOptions & {
    readonly maxBodyMib: number;
    readonly maxModelMib: number;
    readonly joinModels: string;
  };
  readonly app: Pick<Hono, "fetch">;
  readonly facts: () => EdgeFacts;
  readonly install: InstallModel;
  readonly env: Environment;
  readonly log: Logger;
}

/** A server that refuses us says so within this time; one that is not there is waited for without holding up anybody. */
const firstTryMs = 2_000;
const openAgainMs = 1_000;
/** Longest time for telling a silent server that we leave. */
const leaveMs = 1_000;

export class EdgeJoin {
  readonly #options: EdgeJoinOptions;
  readonly #epoch = randomBytes(9).toString("hex");
  readonly #stop = new AbortController();
  #engine: Engine | undefined;
  #calls: CallServer | undefined;
  #lease: EdgeLease | undefined;
  #travelled: TravelledModels | undefined;
  #opened: Promise<void> = Promise.resolve();

  constructor(options: EdgeJoinOptions) {
    this.#options = options;
  }

  /** @throws UsageError when the server can be reached and cannot be used */
  async start(): Promise<void> {
    const { log } = this.#options;
    let isWaitedFor = true;
    this.#opened = this.#open().catch((error: Error) => {
      if (this.#stop.signal.aborted) return;
      if (isWaitedFor && error instanceof UsageError) throw error;
      log.error({ why: error.message }, "not joined over NATS; the edge serves its own callers alone");
    });
    await Promise.race([this.#opened, delay(firstTryMs, undefined, { ref: false })]);
    isWaitedFor = false;
  }

  /** Say that this edge leaves, and answer what has come. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#opened.catch(() => {});
    const left = Promise.all([this.#travelled?.close(), this.#lease?.close()]);
    // A server that is away is not waited for: the lease ends by itself soon.
    if (this.#engine?.isConnected === true)
      await Promise.race([left, delay(leaveMs, undefined, { ref: false })]);
    await this.#calls?.close();
    await this.#engine?.close();
    await left;
  }

  async #open(): Promise<void> {
    const { options, facts, install, env, log } = this.#options;
    const { signal } = this.#stop;
    const engine = await joinNats(options, { as: "edge", env, log, stop: signal });
    this.#engine = engine;
    // Names of targets do not begin with a digit.
    const name = /^[A-Za-z_]/.test(engine.name) ? engine.name : `edge-${engine.name}`;
    const subject = engine.names.joinedEdges.run(name, this.#epoch);
    this.#calls = new CallServer({
      connection: engine.connection,
      subject,
      mostMessageBytes: engine.mostBytes,
      mostBodyBytes: options.maxBodyMib * 2 ** 20,
      answer: (call, cancel) => answerCall(this.#options.app, call, cancel),
    });
    const kv = await this.#bucket(engine);
    if (kv === undefined) return;
    this.#lease = new EdgeLease({
      kv,
      key: engine.names.joinedEdges.key(name),
      entry: () => ({
        name,
        epoch: this.#epoch,
        ...facts(),
        memory: { totalBytes: totalmem(), freeBytes: freemem() },
      }),
      log,
    });
    const wanted = options.joinModels
      .split(",")
      .map((each) => each.trim())
      .filter((each) => each !== "");
    const mostBytes = options.maxModelMib * 2 ** 20;
    if (wanted.length > 0) this.#travelled = new TravelledModels({ engine, wanted, install, mostBytes, log });
  }

  /** The bucket of edges, made where it is not there; undefined: this edge was stopped before. */
  async #bucket({ can, js, connection, names }: Engine): Promise<KV | undefined> {
    const { signal } = this.#stop;
    const { joinDomain } = this.#options.options;
    const client = joinDomain === undefined ? js : jetstream(connection, { domain: joinDomain });
    for (;;) {
      try {
        return await openBucket(new Kvm(client), names.joinedEdges.bucket, can.deadlines);
      } catch (error) {
        this.#options.log.warn(
          { why: (error as Error).message },
          "the bucket of edges is not there; trying again",
        );
      }
      await delay(openAgainMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return undefined;
    }
  }
}

function openBucket(kvm: Kvm, bucket: string, hasMarkers: boolean): Promise<KV> {
  const markers = hasMarkers ? { markerTTL: edgeMarkerMs } : {};
  return kvm.create(bucket, { ttl: edgeLeaseMs, history: 1, ...markers });
}
