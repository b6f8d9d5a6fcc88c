/**
 * Asks every edge again and again which models it has, and tells the queue when that changes: a request is sent to the
 * edges that list its model, and to no others.
 */
import type { Logger } from "pino";
import type { DaemonQueue } from "../daemon.ts";
import type { DirectoryEdges } from "../directory-edges.ts";
import type { EdgeList } from "./edge-list.ts";

/** How often an edge is asked, in milliseconds. */
const usualEveryMs = 2_000;
/** An edge that answers without a list is asked every so many times. */
const seldom = 15;
/** Names of models in a line of the log. */
const mostShown = 20;

export interface ModelWatchOptions {
  readonly list: Pick<EdgeList, "live">;
  readonly edges: Pick<DirectoryEdges, "all" | "ask" | "servedAt" | "usedAt" | "watch">;
  readonly log: Pick<Logger, "info">;
  /** Models are in the list of an edge that were not in the one before. Default: nobody is told. */
  readonly onMore?: (edge: string, models: readonly string[]) => void;
  /** How often each edge is asked, in milliseconds. Default: 2,000. */
  readonly everyMs?: number;
}

export class ModelWatch {
  readonly #options: ModelWatchOptions;
  /** By the name of an edge, what the queue was told last. */
  readonly #told = new Map<string, readonly string[] | undefined>();
  #queue: Pick<DaemonQueue, "changeTargets"> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;

  constructor(options: ModelWatchOptions) {
    this.#options = options;
  }

  /** Tells the queue from now on. */
  start(queue: Pick<DaemonQueue, "changeTargets">): void {
    this.#queue = queue;
    this.#options.edges.watch(() => this.tell());
    this.tell();
    this.#timer = setInterval(() => this.#ask(), this.#options.everyMs ?? usualEveryMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#options.edges.watch(() => {});
  }

  /** An edge was added, of which the queue knows what it serves. */
  added(name: string, models: readonly string[] | undefined): void {
    this.#told.set(name, models);
  }

  /** An edge was removed: one that gets its name later is told anew. */
  forget(name: string): void {
    this.#told.delete(name);
  }

  /** Tells the queue what has changed. */
  tell(): void {
    const { list, edges, log, onMore } = this.#options;
    for (const { name, number } of list.live) {
      const before = this.#told.get(name);
      const models = edges.usedAt(number);
      if (isSame(before, models)) continue;
      const isFirst = !this.#told.has(name);
      this.#told.set(name, models);
      this.#queue?.changeTargets({ kind: "models", name, models });
      if (isFirst) continue;
      const more = without(models, before);
      const fewer = without(before, models);
      // What other daemons use the edge for, it still has.
      const isShared = fewer.length > 0 && without(fewer, edges.servedAt(number)).length === 0;
      if (isShared && more.length === 0) continue;
      log.info(
        {
          edge: name,
          ...(more.length > 0 && { now: more.slice(0, mostShown) }),
          ...(fewer.length > 0 && { noLonger: fewer.slice(0, mostShown) }),
        },
        "an edge has other models",
      );
      if (more.length > 0) onMore?.(name, more);
    }
  }

  #ask(): void {
    const { edges } = this.#options;
    const isSeldom = this.#ticks++ % seldom === 0;
    // A question under way is shared, so an edge that hangs is asked once.
    for (const edge of edges.all) if (!edge.listsNothing || isSeldom) void edges.ask(edge);
  }
}

function isSame(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  const known = new Set(a);
  return known.size === new Set(b).size && b.every((name) => known.has(name));
}

function without(all: readonly string[] = [], others: readonly string[] = []): string[] {
  const left = new Set(others);
  return all.filter((name) => !left.has(name));
}
