/**
 * The owner's side of a daemon in one of its lives: it pulls the models for which the server pins it, batches with the real
 * queue and policy, stores results and acknowledges.
 */
import { makePolicy } from "../../../client/policies/make-policy.ts";
import type { End, Ticket } from "../../../client/queue/request.ts";
import { VirtualQueue } from "../../../client/queue/virtual-queue.ts";
import type { SwarmConnection } from "./swarm-connection.ts";
import { type OwnerShare, shareOut, type Split } from "../../../client/targets/share-out.ts";
import {
  ackWaitMs,
  type Lease,
  leaseMs,
  type QueuedMessage,
  pinMs,
  queueOf,
  type Result,
} from "./message-server.ts";
import type { EdgeProcess } from "./swarm-edge.ts";
import { edgeProfile, edgeTarget, functionProfile, functionTarget, swarmSheet } from "./swarm-targets.ts";
import type { SwarmRules, SwarmWorld } from "./swarm-world.ts";

/** Most messages of a model that one pull asks for. */
const pullRoom = 32;
/** Time of a job in the queue. */
const jobMs = 20_000;
const giveBackMs = 500;
const mostQueued = 1_000;

export interface SwarmOwnerOptions {
  readonly world: SwarmWorld;
  readonly rules: SwarmRules;
  readonly connection: SwarmConnection;
  readonly edges: readonly EdgeProcess[];
  /** Called when a request is begun, and when its result counted, as far as this owner knows. */
  readonly onCounted: (id: string, owner: string) => void;
}

interface Work {
  readonly message: QueuedMessage;
  ticket: Ticket | undefined;
  hasBegun: boolean;
}

/** It runs until its process ends. */
export function startOwner(options: SwarmOwnerOptions): void {
  new SwarmOwner(options).start();
}

class SwarmOwner {
  readonly #options: SwarmOwnerOptions;
  readonly #queue: VirtualQueue<number, number>;
  /** What it was given and has not acknowledged, by sequence. */
  readonly #work = new Map<number, Work>();
  readonly #byTicket = new Map<number, Work>();
  /** Edges, by name. */
  #known = new Map<string, Lease>();
  #split: Split = { owners: 1, parts: 1 };
  /** By model, then by daemon; none while each model has one owner. */
  #shares = new Map<string, ReadonlyMap<string, OwnerShare>>();

  constructor(options: SwarmOwnerOptions) {
    this.#options = options;
    const { world, connection } = options;
    const { process } = connection;
    const targets = [functionProfile(world.models)];
    this.#queue = new VirtualQueue<number, number>({
      clock: process.clockOfLife(),
      policy: makePolicy({ name: "spillway", sloQuantile: 0.99, targets, prices: swarmSheet }, world.sloMs),
      targets: [functionTarget(process)],
      sloMs: world.sloMs,
      maxQueuedRows: mostQueued,
      observe: (event) => {
        if (event.kind !== "batch") return;
        for (const id of event.requests) {
          const work = this.#byTicket.get(id);
          if (work !== undefined) work.hasBegun = true;
        }
      },
    });
  }

  start(): void {
    const { world, connection } = this.#options;
    const { process } = connection;
    for (const model of world.models) this.#pullFor(model);
    process.every(leaseMs / 3, () => this.#offer());
    process.every(ackWaitMs / 3, () => {
      const sequences = [...this.#work.keys()];
      connection.tell((messages) => {
        for (const sequence of sequences) messages.working(sequence);
      });
    });
    connection.whenConnected(() => {
      connection.tell((messages) =>
        messages.watch(() => {
          const [leases, split] = [messages.leases(), messages.split];
          connection.hear(() => this.#changed(leases, split));
        }),
      );
    });
  }

  #pullFor(model: string): void {
    const { connection, rules } = this.#options;
    connection.process.every(pinMs / 4, () => {
      const parts = rules.takesEveryPart ? this.#split.parts : 1;
      for (let part = 0; part < parts; part++) if (this.#isOwn(model, part)) this.#pull(queueOf(model, part));
    });
  }

  #pull(queue: string): void {
    const { connection } = this.#options;
    const deliver = (message: QueuedMessage): void => connection.hear(() => this.#take(message));
    const room = Math.max(0, pullRoom - this.#queue.counts.waiting);
    connection.ask(
      (messages) => messages.pull(queue, { client: connection.process, room, expiresMs: pinMs / 2, deliver }),
      (isOther) => {
        if (isOther) this.#lost(queue);
      },
    );
  }

  /** Tell the others which edges this daemon reaches. */
  #offer(): void {
    const { process } = this.#options.connection;
    if (this.#split.parts === 1) return;
    const lease = { name: process.name, epoch: process.life, edges: [...this.#known.keys()] };
    this.#options.connection.tell((messages) => messages.renew(lease));
  }

  #changed(leases: readonly Lease[], split: Split): void {
    const { world, connection } = this.#options;
    const { process } = connection;
    const before = this.#shares;
    this.#split = split;
    this.#edgesChanged(leases.filter(({ edges }) => edges === undefined));
    const daemons = leases.filter(({ edges }) => edges !== undefined);
    this.#shares = new Map();
    if (split.parts > 1)
      for (const model of world.models) this.#shares.set(model, this.#sharesOf(model, daemons));
    for (const [model, shares] of before)
      for (const part of shares.get(process.name)?.parts ?? [])
        if (!this.#isOwn(model, part))
          connection.tell((messages) => messages.unpin(queueOf(model, part), process));
    if (split.parts === 1) return;
    for (const { name, model = "" } of this.#known.values()) {
      const models = this.#isLeft(model, name) ? [] : [model];
      this.#queue.changeTargets({ kind: "models", name, models });
    }
  }

  #sharesOf(model: string, daemons: readonly Lease[]): ReadonlyMap<string, OwnerShare> {
    const offers = daemons.map(({ name, edges = [] }) => {
      const own = edges.filter((edge) => this.#known.get(edge)?.model === model);
      return { name, edges: new Map(own.map((edge) => [edge, 1])) };
    });
    return shareOut(model, this.#split, offers);
  }

  #isOwn(model: string, part: number): boolean {
    const shares = this.#shares.get(model);
    if (shares === undefined || shares.size === 0) return true;
    return shares.get(this.#options.connection.process.name)?.parts.includes(part) ?? false;
  }

  /** Whether another owner uses the edge. */
  #isLeft(model: string, edge: string): boolean {
    const shares = this.#shares.get(model);
    const own = shares?.get(this.#options.connection.process.name)?.edges ?? [];
    if (shares === undefined || own.length === 0 || own.includes(edge)) return false;
    return [...shares.values()].some(({ edges }) => edges.includes(edge));
  }

  #edgesChanged(leases: readonly Lease[]): void {
    const { connection, edges } = this.#options;
    const now = new Map(leases.map((lease) => [lease.name, lease]));
    for (const { name, epoch } of this.#known.values()) {
      if (now.get(name)?.epoch !== epoch) this.#queue.changeTargets({ kind: "remove", name });
    }
    for (const { name, epoch, model = "" } of leases) {
      if (this.#known.get(name)?.epoch === epoch) continue;
      const edge = edges.find(({ spec }) => spec.name === name) as EdgeProcess;
      this.#queue.changeTargets({
        kind: "add",
        target: edgeTarget(edge, connection.process, connection.server),
        known: { profile: edgeProfile(edge.spec) },
        models: [model],
      });
    }
    this.#known = now;
  }

  /** Another daemon owns the queue: what this one has not begun goes back. */
  #lost(queue: string): void {
    for (const work of this.#work.values()) {
      if (work.message.queue !== queue || work.hasBegun || work.ticket === undefined) continue;
      this.#queue.cancel(work.ticket);
    }
  }

  #take(message: QueuedMessage): void {
    const { sequence, content, model, deadlineAtMs } = message;
    // It took longer than the server waits, and is still in work.
    if (this.#work.has(sequence)) return;
    const { connection, rules } = this.#options;
    const nowMs = connection.nowMs();
    const sloMs = deadlineAtMs === undefined ? jobMs : deadlineAtMs - nowMs;
    const work: Work = { message, ticket: undefined, hasBegun: false };
    this.#work.set(sequence, work);
    if (!rules.acksAfterResult) connection.tell((messages) => messages.ack(sequence));
    if (sloMs <= 0) {
      this.#conclude(message, "deadline_passed");
      return;
    }
    // Requests may be sent before `submit` returns: they are counted from 0 in order.
    this.#byTicket.set(this.#queue.counts.submitted, work);
    const ticket = this.#queue.submit({ payload: content, key: model, sloMs }, (end) =>
      this.#ended(message, end, ticket?.id),
    );
    if (this.#work.has(sequence)) work.ticket = ticket;
  }

  #ended(message: QueuedMessage, end: End<number>, ticket: number | undefined): void {
    const { connection, rules } = this.#options;
    if (ticket !== undefined) this.#byTicket.delete(ticket);
    const { sequence } = message;
    if ("answer" in end) this.#conclude(message, end.answer);
    else if (end.outcome === "cancelled" || (message.deadlineAtMs === undefined && end.error.retryable)) {
      this.#work.delete(sequence);
      const delayMs = end.outcome === "cancelled" ? 0 : giveBackMs;
      connection.tell((messages) => {
        if (rules.givesBack) messages.giveBack(sequence, delayMs);
        else messages.ack(sequence);
      });
    } else this.#conclude(message, end.error.code);
  }

  /** Store the result until the server says that it is there; then acknowledge. */
  #conclude({ id, sequence }: QueuedMessage, answer: Result["answer"]): void {
    const { connection, rules, onCounted } = this.#options;
    const by = `${connection.process.name}~${connection.process.life}`;
    connection.askUntilAnswered(
      (messages) => messages.store({ id, by, answer }, rules.expectsNoResult),
      (isStored) => {
        if (isStored) onCounted(id, by);
        this.#work.delete(sequence);
        connection.tell((messages) => messages.ack(sequence));
      },
    );
  }
}
