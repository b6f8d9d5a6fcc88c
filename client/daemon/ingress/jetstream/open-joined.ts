/**
 * A daemon that joined others over NATS: its requests go to the shared queues of their models, and it stands in line to own
 * the queues of those models that its own targets serve.
 */
import type { Hono } from "hono";
import type { Logger } from "pino";
import { type Engine, joinNats } from "../../../../base/nats/engine.ts";
import type { Environment } from "../../../../base/program/secrets.ts";
import { UsageError } from "../../../../base/usage-error.ts";
import type { MessageCodec } from "../../../../protocol/server/message-codec.ts";
import type { Daemon } from "../../daemon.ts";
import { type DaemonOptions, wantedOwners } from "../../options.ts";
import { edgeAuth } from "../../../transports/http-auth.ts";
import { noneJoined } from "../../targets/awaited-edges.ts";
import { JoinedEdges, type JoinedEdgesOptions } from "../../targets/joined-edges.ts";
import { AskedModels } from "./asked-models.ts";
import { codeOf } from "./bus-streams.ts";
import { Front } from "./front.ts";
import { Hub } from "./hub/hub.ts";
import { hubName, hubUrl } from "./hub/hub-target.ts";
import { ModelDoors } from "./hub/model-doors.ts";
import { DurableJobs } from "./jobs/durable-jobs.ts";
import { jobsOptions } from "../jobs/jobs.ts";
import { JetStreamBus } from "./jetstream-bus.ts";
import { JoinedMetrics } from "./joined-metrics.ts";
import { askStory, tellStories } from "./shared-stories.ts";
import { Owner, type OwnerCounts } from "./owner.ts";
import { SplitModels } from "./owners/split-models.ts";
import { SharedSpend } from "./spend/shared-spend.ts";
import { SpendCounter } from "./spend/spend-counter.ts";
import { spendClockMs } from "../../spend.ts";
import { longestStartMs } from "../../../transports/capped-transport.ts";
import type { Ownership, RequestBus } from "./request-bus.ts";

export interface OpenJoinedOptions {
  readonly options: DaemonOptions;
  readonly daemon: Daemon;
  readonly codec: MessageCodec;
  /** Those of all daemons; undefined: none are taken. */
  readonly jobs: DurableJobs | undefined;
  readonly env: Environment;
  readonly log: Logger;
}

/** A request that nobody tells to be in work goes to the next owner, and one that does not ask is none any more. */
const ackWaitMs = 5_000;
const pinMs = 2_000;
/** Most requests of one model in work at once. */
const window = 256;
const limits = { window, ackWaitMs, pinMs };
/** How often the models of the own targets are looked at. */
const lookEveryMs = 2_000;
const turnEveryMs = 5_000;

/** Numbers as digits may take a quarter of what they take as bytes. */
function largest({ maxBodyMib, maxAnswerMib, maxMib }: DaemonOptions): {
  readonly mostBodyBytes: number;
  readonly mostHeldBytes: number;
} {
  const mib = Math.min(4 * Math.max(maxBodyMib, maxAnswerMib), maxMib);
  return { mostBodyBytes: mib * 2 ** 20, mostHeldBytes: maxMib * 2 ** 20 };
}

/** A model's shared queues that this daemon takes of. */
interface Owned {
  readonly requests: Ownership;
  readonly jobs: Ownership | undefined;
}

/** The jobs of daemons that joined, which outlive each of them. */
export function durableJobs({
  options,
  daemon,
  codec,
  log,
}: Omit<OpenJoinedOptions, "jobs" | "env">): DurableJobs {
  const maxFileBytes = options.maxBodyMib * 2 ** 20;
  return new DurableJobs({ ...jobsOptions(options, daemon, codec), maxFileBytes, limits, log });
}

export class Joined {
  readonly counts: OwnerCounts = { taken: 0, again: 0, answered: 0, failed: 0, doubled: 0, expired: 0 };
  readonly #options: OpenJoinedOptions;
  readonly #owners = new Map<string, Owned>();
  readonly #asked: AskedModels;
  #spend: { readonly close: () => Promise<void> } | undefined;
  #engine: Engine | undefined;
  #bus: RequestBus | undefined;
  #front: Front | undefined;
  #timer: NodeJS.Timeout | undefined;
  #edges: JoinedEdges | undefined;
  #split: SplitModels | undefined;
  #hub: Hub | undefined;
  #doors: ModelDoors | undefined;

  constructor(options: OpenJoinedOptions) {
    this.#options = options;
    this.#asked = new AskedModels(options.daemon);
  }

  /**
   * Resolves when the server is there, or when the daemon is stopped before; rejects with a UsageError when the server
   * cannot be used.
   */
  async connect(stop: AbortSignal): Promise<void> {
    const { options, env, log, daemon } = this.#options;
    daemon.startsAfter = `the NATS server ${options.join.map(({ server }) => server).join(", ")} is waited for`;
    try {
      this.#engine = await joinNats(options, { as: "vqueue", env, log, stop });
    } catch (error) {
      if (!stop.aborted) throw error;
      return;
    }
    const engine = this.#engine;
    daemon.startsAfter = undefined;
    if (!engine.can.pins)
      log.warn(
        { version: engine.version, wanted: "2.12" },
        "this nats-server has no pinned owners and no deadlines: all daemons share the requests of a model, in smaller batches",
      );
    const busOptions = { mostStoredBytes: options.joinMib * 2 ** 20, ...largest(options), ...limits, log };
    const { joinHub: domain } = options;
    if (domain !== undefined)
      this.#hub = await Hub.of({ engine, domain, bus: busOptions, ...this.#edgeAnswers() });
    try {
      const bus = await JetStreamBus.open(engine, busOptions);
      this.#bus = bus;
      await this.#options.jobs?.open(engine, bus.owners);
      if (options.joinSpend) await this.#shareSpend(engine);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      throw new UsageError(
        `--join: the server does not give us streams of ${options.joinMib} MiB (--join-mib) and ${options.jobsMib} MiB` +
          ` (--jobs-mib): ${(error as Error).message}`,
      );
    }
  }

  /**
   * From now on requests go by the shared queues. Call it when the daemon takes requests.
   *
   * @param app answers what sites ask of models
   */
  start(app: Pick<Hono, "fetch">): void {
    const { options, daemon, codec } = this.#options;
    const [bus, engine] = [this.#bus, this.#engine];
    if (bus === undefined || engine === undefined) return;
    if (daemon.targets !== undefined)
      this.#edges = new JoinedEdges({
        engine,
        targets: daemon.targets,
        ...this.#edgeAnswers(),
        log: this.#options.log,
      });
    const hub = this.#hub;
    if (hub !== undefined && options.joinHub !== undefined)
      daemon.targets?.add(
        { name: hubName, url: hubUrl(options.joinHub), connect: () => hub.connect() },
        "joined",
      );
    this.#doors = new ModelDoors(engine, app);
    const split = new SplitModels({
      owners: bus.owners,
      targets: daemon.targets,
      wanted: wantedOwners(options.joinOwners),
      replicas: (url, model) => this.#edges?.replicas(url, model),
      log: this.#options.log,
    });
    this.#split = split;
    const front = new Front({
      bus,
      codec,
      mostRequests: options.maxRows,
      mostBytes: options.maxMib * 2 ** 20,
      graceMs: options.callTimeout * 1_000,
    });
    this.#front = front;
    engine.onReconnect(() => void front.lookForAll());
    tellStories(engine, daemon.recent);
    const metrics = new JoinedMetrics(() => {
      return {
        isConnected: engine.isConnected,
        waiting: front.size,
        models: this.#owners.size,
        counts: this.counts,
        shares: split.held(this.#owners.keys()),
      };
    });
    const look = (): void => void this.#followModels(bus).catch(() => {});
    daemon.sendBy({
      submit: (call, withinMs, callerLeft) => {
        if (!this.#owners.has(call.model))
          void this.#asked.asked(call.model).then((isNew) => isNew && look());
        return front.submit(call, withinMs, callerLeft);
      },
      knows: (model) => bus.knows(model),
      whyNot: () => this.#whyNot(engine),
      story: (id) => askStory(engine, id),
      scrape: () => metrics.text(),
    });
    look();
    this.#timer = setInterval(look, lookEveryMs).unref();
  }

  /** Answers who waits, hands its models over, and takes nothing more. Call it before the daemon is closed. */
  async retire(): Promise<void> {
    clearInterval(this.#timer);
    const owned = [...this.#owners.values()];
    // Its jobs go on elsewhere at once, however long those who wait for answers take; these may need its own targets.
    await Promise.all(owned.flatMap(({ jobs }) => jobs?.leave() ?? []));
    await this.#front?.drain();
    await Promise.all(owned.map(({ requests }) => requests.leave()));
    this.#owners.clear();
  }

  async close(): Promise<void> {
    this.#split?.close();
    this.#hub?.close();
    await this.#doors?.close();
    await this.#edges?.close();
    await this.#spend?.close();
    await this.#bus?.close();
    await this.#engine?.close();
  }

  #whyNot({ isConnected }: Engine): string | undefined {
    if (!isConnected) return "there is no connection to the NATS server";
    const { options, daemon } = this.#options;
    const own = daemon.targets?.listed().some(({ source }) => source !== "joined");
    if (own === true || this.#edges === undefined || this.#edges.hasAny) return undefined;
    const { site } = this.#engine?.names ?? {};
    const where = `--join ${options.join.map(({ server }) => server).join(", ")}`;
    return `${noneJoined} (${where}${site === undefined ? "" : `, site ${site}`}), and there is no other target`;
  }

  #edgeAnswers(): Pick<JoinedEdgesOptions, "auth" | "mostAnswerBytes"> {
    const { options, env } = this.#options;
    return {
      auth: edgeAuth(options.edgeAuth, "--edge-auth", env),
      mostAnswerBytes: options.maxAnswerMib * 2 ** 20,
    };
  }

  async #shareSpend(engine: Engine): Promise<void> {
    const { options, daemon, log } = this.#options;
    const { maxSpendPerHour: perHour = Infinity, maxSpendPerDay: perDay = Infinity } = options;
    const { currency } = daemon.status().spend;
    const counter = await SpendCounter.open(engine, { domain: options.joinSpendDomain, currency, log });
    const longestCallMs = options.functionTimeout * 1_000 + longestStartMs;
    const shared = new SharedSpend({ counter, limits: { perHour, perDay }, currency, longestCallMs });
    const timer = setInterval(() => shared.turn(spendClockMs()), turnEveryMs).unref();
    this.#spend = {
      close: async () => {
        clearInterval(timer);
        await shared.close();
        await counter.close();
      },
    };
    await shared.prepare(daemon.shareSpend(shared), spendClockMs());
    log.info({ currency, perHour, perDay, serverAdds: counter.adds }, "the limits of money are shared");
  }

  async #followModels(bus: RequestBus): Promise<void> {
    const { daemon, codec, jobs, log } = this.#options;
    const served = new Set([...((await daemon.models.list()) ?? []), ...this.#asked.names]);
    for (const model of served) {
      if (this.#owners.has(model)) continue;
      const workingMs = ackWaitMs / 3;
      const edges = this.#split?.edgesFor(model);
      const owner = new Owner({ model, bus, daemon, codec, workingMs, log, counts: this.counts, edges });
      this.#owners.set(model, { requests: owner, jobs: jobs?.serve(model) });
    }
    this.#doors?.follow(served);
    for (const model of served) this.#split?.serves(model);
    this.#split?.tell(served);
    for (const [model, owned] of this.#owners) {
      if (served.has(model)) continue;
      this.#owners.delete(model);
      void owned.requests.leave();
      void owned.jobs?.leave();
    }
  }
}
