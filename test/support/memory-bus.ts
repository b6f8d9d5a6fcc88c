/** The bus of requests in the memory of one process, for tests: several fronts and owners share one `MemoryEngine`. */
import { SpillwayError } from "../../base/errors.ts";
import {
  type OwnerOffer,
  type OwnerShare,
  partOf,
  shareOut,
  type Split,
} from "../../client/targets/share-out.ts";
import type {
  BusRequest,
  BusResult,
  BusDelivery,
  ModelOwners,
  OfferedEdges,
  OwnerHandlers,
  Ownership,
  RequestBus,
} from "../../client/daemon/ingress/jetstream/request-bus.ts";

interface Queued {
  readonly request: BusRequest;
  readonly key: string;
  readonly acceptedAtMs: number;
  readonly part: number;
  deliveries: number;
  /** Who has it, and until when it is theirs. */
  owner: MemoryOwner | undefined;
  lease: NodeJS.Timeout | undefined;
  expiry: NodeJS.Timeout | undefined;
}

interface MemoryOwner {
  readonly name: string;
  readonly edges: OfferedEdges;
  readonly handlers: OwnerHandlers;
  isGone: boolean;
}

export interface MemoryEngineOptions {
  readonly mostRequests: number;
  readonly ackWaitMs: number;
  /** Largest body. Default: 1 MiB. */
  readonly mostBytes?: number;
}

export class MemoryEngine {
  readonly options: MemoryEngineOptions;
  readonly queued = new Map<string, Queued>();
  readonly results = new Map<string, BusResult>();
  readonly owners = new Map<string, MemoryOwner[]>();
  readonly fronts = new Map<string, (id: string, result: BusResult) => void>();
  readonly known = new Set<string>();
  readonly splits = new Map<string, Split>();
  readonly listeners = new Set<() => void>();

  constructor(options: MemoryEngineOptions) {
    this.options = options;
  }

  /** A daemon's view of it. */
  bus(name: string): RequestBus & { die(): void } {
    const mine: { readonly owner: MemoryOwner; readonly model: string }[] = [];
    const leave = (owner: MemoryOwner, model: string, isDead: boolean): void => {
      owner.isGone = true;
      const line = this.owners.get(model) ?? [];
      this.owners.set(
        model,
        line.filter((other) => other !== owner),
      );
      if (!isDead) this.deliver(model);
      this.changed();
    };
    const owners: ModelOwners = {
      name,
      split: async (model, count) => {
        const { parts = 1 } = this.splits.get(model) ?? {};
        this.splits.set(model, { owners: count, parts: Math.max(parts, count > 1 ? 4 * count : 1) });
        this.changed();
      },
      splitOf: (model) => this.splits.get(model),
      sharesOf: (model) => this.sharesOf(model),
      onChange: (listener) => {
        this.listeners.add(listener);
        return () => void this.listeners.delete(listener);
      },
    };
    return {
      owners,
      mostBytes: this.options.mostBytes ?? 2 ** 20,
      onResult: (listener) => void this.fronts.set(name, listener),
      submit: async (request) => {
        const key = `${name}.${request.id}`;
        if (this.queued.has(key)) return;
        if (this.queued.size >= this.options.mostRequests) throw new SpillwayError("queue_full");
        const queued: Queued = {
          request,
          key,
          acceptedAtMs: performance.now(),
          part: this.partFor(request),
          deliveries: 0,
          owner: undefined,
          lease: undefined,
          expiry: undefined,
        };
        queued.expiry = setTimeout(() => this.expired(queued), Math.ceil(request.withinMs / 1_000) * 1_000);
        this.queued.set(key, queued);
        this.deliver(request.model);
      },
      withdraw: ({ id }) => {
        const key = `${name}.${id}`;
        const queued = this.queued.get(key);
        if (queued === undefined) return;
        if (queued.owner === undefined) this.remove(queued);
        else queued.owner.handlers.cancel(key);
      },
      resultOf: async (id) => this.results.get(`${name}.${id}`),
      settle: async (id, result) => this.store(`${name}.${id}`, result),
      knows: async (model) => this.known.has(model),
      hasOwner: async (model) => (this.owners.get(model) ?? []).length > 0,
      own: (model, handlers, edges = () => new Map()): Ownership => {
        this.known.add(model);
        const owner: MemoryOwner = { name, edges, handlers, isGone: false };
        mine.push({ owner, model });
        this.owners.set(model, [...(this.owners.get(model) ?? []), owner]);
        this.deliver(model);
        this.changed();
        return { leave: async () => leave(owner, model, false) };
      },
      close: async () => {
        for (const { owner, model } of mine) leave(owner, model, false);
      },
      die: () => {
        for (const { owner, model } of mine) leave(owner, model, true);
        for (const { model } of mine) this.deliver(model);
      },
    };
  }

  deliver(model: string): void {
    for (const queued of this.queued.values()) {
      if (queued.request.model !== model || queued.owner !== undefined) continue;
      const owner = this.ownerOf(queued);
      if (owner !== undefined) this.hand(queued, owner, false);
    }
  }

  sharesOf(model: string): ReadonlyMap<string, OwnerShare> | undefined {
    const split = this.splits.get(model);
    const offers = (this.owners.get(model) ?? []).map(({ name, edges }): OwnerOffer => {
      return { name, edges: edges() };
    });
    return split && shareOut(model, split, offers);
  }

  partFor({ id, model }: BusRequest): number {
    const { owners = 1, parts = 1 } = this.splits.get(model) ?? {};
    return owners === 1 ? 0 : partOf(id, parts);
  }

  ownerOf({ request: { model }, part }: Queued): MemoryOwner | undefined {
    const line = this.owners.get(model) ?? [];
    const shares = [...(this.sharesOf(model)?.values() ?? [])];
    const share = shares.find(({ parts }) => parts.includes(part));
    return share === undefined ? line[0] : line.find(({ name }) => name === share.name);
  }

  changed(): void {
    for (const tell of this.listeners) tell();
  }

  hand(queued: Queued, owner: MemoryOwner, isExpired: boolean): void {
    const { request, key } = queued;
    queued.owner = owner;
    queued.deliveries++;
    const renew = (): void => {
      clearTimeout(queued.lease);
      queued.lease = setTimeout(() => {
        queued.owner = undefined;
        this.deliver(request.model);
      }, this.options.ackWaitMs).unref();
    };
    renew();
    const delivery: BusDelivery = {
      key,
      headers: isExpired ? {} : request.headers,
      body: isExpired ? new Uint8Array() : request.body,
      ageMs: performance.now() - queued.acceptedAtMs,
      deliveries: queued.deliveries,
      isExpired,
      working: () => {
        if (!owner.isGone && queued.owner === owner) renew();
      },
      finish: async (result) => {
        const isFirst = this.store(key, result);
        this.remove(queued);
        return isFirst;
      },
      drop: () => this.remove(queued),
      giveBack: () => {
        queued.owner = undefined;
        this.deliver(request.model);
      },
    };
    queueMicrotask(() => {
      if (!owner.isGone) owner.handlers.take(delivery);
    });
  }

  expired(queued: Queued): void {
    const owner = this.ownerOf(queued);
    if (owner === undefined) this.remove(queued);
    else this.hand(queued, owner, true);
  }

  remove(queued: Queued): void {
    clearTimeout(queued.lease);
    clearTimeout(queued.expiry);
    this.queued.delete(queued.key);
  }

  store(key: string, result: BusResult): boolean {
    if (this.results.has(key)) return false;
    this.results.set(key, result);
    const [front = "", id = ""] = key.split(".");
    queueMicrotask(() => this.fronts.get(front)?.(id, result));
    return true;
  }
}
