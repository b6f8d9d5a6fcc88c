/** The memory that models share: it admits those that are to be loaded, and lets others go to make room for them. */
import type { Logger } from "pino";
import { showMib } from "./memory-size.ts";
import { planMemory, type Resident } from "./memory-plan.ts";

/** A model that takes memory from time to time. */
export interface MemoryTenant {
  readonly name: string;
  readonly isPinned: boolean;
  /** What it may take until it is loaded: the estimate, or what it took when it was loaded last, if that was more. */
  neededBytes(): number;
  estimateBytes(): number;
  /** What its processes take now. */
  measuredBytes(): number;
  readonly openRequests: number;
  readonly usedAtMs: number;
  /** Moment since which it answers; undefined while it loads. */
  readonly upAtMs: number | undefined;
  /** Take nothing new, answer what was accepted, and end the processes. */
  leave(): Promise<void>;
}

/** A process that waits for a model, and takes memory as well. */
export interface SpareMemory {
  bytes(): number;
  drop(): Promise<void>;
  /** Have one ready. */
  prepare(): void;
}

export interface MemoryStatus {
  readonly budgetBytes: number;
  readonly usedBytes: number;
  readonly resident: readonly string[];
  /** Models that wait for room. */
  readonly waiting: number;
  readonly loads: number;
  readonly evictions: number;
}

interface Waiting {
  readonly tenant: MemoryTenant;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

const leastUpMs = 300;
/** A budget so many times as large as a process without a model has room for one. */
const spareShare = 16;
/** How often what models take is measured while nothing is loaded. */
const measureEveryMs = 1_000;

export class ModelMemory {
  readonly #budgetBytes: number;
  /** Kept free of models, for a process that waits for the next one; nothing where it would be missed. */
  readonly #keptBytes: number;
  readonly #log: Logger;
  readonly #spare: SpareMemory;
  readonly #residents = new Map<MemoryTenant, { isLeaving: boolean }>();
  /** In the order in which they asked. */
  readonly #waiting: Waiting[] = [];
  readonly #measuring: NodeJS.Timeout;
  #again: NodeJS.Timeout | undefined;
  #loads = 0;
  #evictions = 0;

  constructor(budgetBytes: number, spare: SpareMemory, log: Logger) {
    this.#budgetBytes = budgetBytes;
    this.#keptBytes = budgetBytes >= spareShare * spareBytes ? spareBytes : 0;
    this.#spare = spare;
    this.#log = log;
    this.#measuring = setInterval(() => this.#shrink(), measureEveryMs);
    this.#measuring.unref();
  }

  /** Resolves when the model may be loaded. Rejects when it can never fit. */
  admit(tenant: MemoryTenant): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ tenant, resolve, reject });
      this.#pump();
    });
  }

  /** The processes of the model have ended. */
  released(tenant: MemoryTenant): void {
    this.#residents.delete(tenant);
    this.#pump();
  }

  /** It answers, or has nothing to do any more: others that wait may get its place. */
  changed(): void {
    if (this.#waiting.length > 0) this.#pump();
  }

  status(): MemoryStatus {
    return {
      budgetBytes: this.#budgetBytes,
      usedBytes: [...this.#residents.keys()].reduce(
        (sum, each) => sum + each.measuredBytes(),
        this.#spare.bytes(),
      ),
      resident: [...this.#residents.keys()].map(({ name }) => name),
      waiting: this.#waiting.length,
      loads: this.#loads,
      evictions: this.#evictions,
    };
  }

  close(): Promise<void> {
    clearInterval(this.#measuring);
    clearTimeout(this.#again);
    for (const { reject } of this.#waiting.splice(0)) reject(new Error("the server is shutting down"));
    return this.#spare.drop();
  }

  #pump(): void {
    clearTimeout(this.#again);
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const { tenant, resolve, reject } = first;
      const neededBytes = tenant.neededBytes();
      // The waiting process is the next model's, so its memory is not taken twice.
      const rules = { budgetBytes: this.#budgetBytes - this.#keptBytes, leastUpMs };
      let plan = planMemory(neededBytes, this.#list(), rules, performance.now());
      // It was loaded before and grew beyond the budget: it is served alone rather than never again.
      if (plan.kind === "never" && tenant.estimateBytes() <= plan.roomBytes)
        plan = planMemory(plan.roomBytes, this.#list(), rules, performance.now());
      if (plan.kind === "load") {
        this.#waiting.shift();
        this.#residents.set(tenant, { isLeaving: false });
        this.#loads++;
        resolve();
        continue;
      }
      if (plan.kind === "never") {
        this.#waiting.shift();
        const room = `--model-memory leaves ${showMib(Math.max(0, plan.roomBytes))} beside what is pinned`;
        reject(new Error(`it needs about ${showMib(neededBytes)}, and ${room}`));
        continue;
      }
      for (const name of plan.leave) this.#evict(name, tenant.name);
      if (plan.atMs < Infinity) this.#again = setTimeout(() => this.#pump(), plan.atMs - performance.now());
      break;
    }
    // Also while others drain, so that the next one starts meanwhile.
    this.#refillSpare();
  }

  /** A process that waits makes the next switch faster, where there is room for it. */
  #refillSpare(): void {
    const used = this.#list().reduce((sum, { bytes }) => sum + bytes, 0);
    if (this.#spare.bytes() === 0 && used + spareBytes <= this.#budgetBytes) this.#spare.prepare();
  }

  #evict(name: string, by: string): void {
    for (const [tenant, state] of this.#residents) {
      // A version that replaces it may be loading under the same name.
      if (tenant.name !== name || state.isLeaving || tenant.upAtMs === undefined) continue;
      state.isLeaving = true;
      this.#evictions++;
      this.#log.info({ model: name, for: by }, "a model leaves the memory");
      void tenant.leave().then(() => this.released(tenant));
    }
  }

  /** What answers may take more than it took when it was loaded. */
  #shrink(): void {
    const list = this.#list();
    const used = list.reduce((sum, { bytes }) => sum + bytes, this.#spare.bytes());
    if (used <= this.#budgetBytes) return this.#refillSpare();
    if (this.#spare.bytes() > 0) return void this.#spare.drop();
    const isAnyLeaving = list.some(({ state }) => state === "leaving");
    const idle = list.filter((each) => each.state === "up" && !each.isPinned && each.openRequests === 0);
    const [oldest] = idle.toSorted((a, b) => a.usedAtMs - b.usedAtMs);
    if (oldest !== undefined && !isAnyLeaving) this.#evict(oldest.name, "what models have grown by");
  }

  #list(): Resident[] {
    return [...this.#residents].map(([tenant, { isLeaving }]) => {
      const { name, isPinned, openRequests, usedAtMs, upAtMs } = tenant;
      const measured = tenant.measuredBytes();
      const bytes = upAtMs === undefined ? Math.max(tenant.neededBytes(), measured) : measured;
      const state = isLeaving ? "leaving" : upAtMs === undefined ? "loading" : "up";
      return { name, bytes, state, isPinned, openRequests, usedAtMs, upAtMs: upAtMs ?? Infinity };
    });
  }
}

/** About what a process takes that holds no model. */
export const spareBytes = 48 * 2 ** 20;
