/**
 * What daemons need of an engine to share requests: a queue for each model, of which one daemon at a time takes, and a place
 * for one result of each request. `JetStreamBus` is the engine; the tests have one in memory, and hold both to one contract.
 */
import type { OwnerShare, Split } from "../../../targets/share-out.ts";

/** A request as a front hands it over. */
export interface BusRequest {
  /** Of this request alone; one token of a subject. */
  readonly id: string;
  readonly model: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** Time in which somebody has to take it, in milliseconds; it leaves the queue then. */
  readonly withinMs: number;
}

export interface BusResult {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** A request as its owner gets it, perhaps not for the first time. */
export interface BusDelivery {
  /** Of the front and the request. */
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** Time since the engine took it, in milliseconds. */
  readonly ageMs: number;
  /** How often it was delivered, from 1. */
  readonly deliveries: number;
  /** Its time was over before somebody had finished it: it has no body and no headers any more. */
  readonly isExpired: boolean;
  /** It is still in work; without this it is delivered to another owner after a while. */
  working(): void;
  /**
   * Stores the result, as long as that takes, and then acknowledges the request.
   *
   * @returns false when there was a result already: this one does not count
   */
  finish(result: BusResult): Promise<boolean>;
  /** Acknowledges a request that has a result, or whose owner makes it. */
  drop(): void;
  /** Another owner may have it, after `afterMs` milliseconds where that is said. */
  giveBack(afterMs?: number): void;
}

export interface OwnerHandlers {
  /** Called for each delivery; must not wait. */
  readonly take: (delivery: BusDelivery) => void;
  /** The caller of a request has left. */
  readonly cancel: (key: string) => void;
}

/** A place in the line of those who own a model, or the ownership. */
export interface Ownership {
  /** Takes nothing more, and lets the next owner take at once. */
  leave(): Promise<void>;
}

/** Edges by a name that all daemons give them, with their capacity, above 0. */
export type OfferedEdges = () => ReadonlyMap<string, number>;

export const noEdges: OfferedEdges = () => new Map();

/** Models with several owners, and what each of them has. */
export interface ModelOwners {
  /** Of this daemon among the owners. */
  readonly name: string;
  /** From now on the model has so many owners at most, for all daemons; resolves when the engine knows. */
  split(model: string, owners: number): Promise<void>;
  /** Undefined: it has one owner, and never had more. */
  splitOf(model: string): Split | undefined;
  /** By owner; undefined as for `splitOf`. */
  sharesOf(model: string): ReadonlyMap<string, OwnerShare> | undefined;
  /** Called after each change, until the function that it returns is called. */
  onChange(listener: () => void): () => void;
}

export interface RequestBus {
  /** Largest body of a request or a result, in bytes, however it travels. */
  readonly mostBytes: number;
  /** Told each result that is stored for this front, perhaps more than once. */
  onResult(listener: (id: string, result: BusResult) => void): void;
  /**
   * Resolves when the engine has the request for sure.
   *
   * @throws SpillwayError `queue_full` when it takes no more, `target_unavailable` when nobody knows whether it has it
   */
  submit(request: BusRequest): Promise<void>;
  /** Its caller has left: it is taken out of the queue where nobody has it, else its owner is told. */
  withdraw(request: Pick<BusRequest, "id" | "model">): void;
  /** The result of a request of this front, where there is one. */
  resultOf(id: string): Promise<BusResult | undefined>;
  /** Puts a result in place of an owner's; false: there was one already. */
  settle(id: string, result: BusResult): Promise<boolean>;
  /** Whether any daemon serves the model, now or when it comes back. */
  knows(model: string): Promise<boolean>;
  /** Whether somebody takes requests of the model now. */
  hasOwner(model: string): Promise<boolean>;
  /**
   * Stands in line to own a model, or parts of one that has several owners.
   *
   * @param edges that this daemon reaches for the model now. Default: none
   */
  own(model: string, handlers: OwnerHandlers, edges?: OfferedEdges): Ownership;
  /** Undefined: the engine shares the requests of each model among all its owners. */
  readonly owners: ModelOwners | undefined;
  close(): Promise<void>;
}
