/**
 * Models that callers of a daemon asked for and that its own targets serve without listing them: those that functions alone
 * have, which are not asked for lists, and single versions. The daemon stands in line to own them as long as somebody asks.
 */
import { versionedModel } from "../../../../protocol/model-path.ts";
import type { Daemon } from "../../daemon.ts";

/** Most of them, and how long after the last request one is kept. */
const mostModels = 256;
const keptMs = 600_000;

export class AskedModels {
  readonly #daemon: Pick<Daemon, "names">;
  readonly #nowMs: () => number;
  readonly #askedAtMs = new Map<string, number>();
  readonly #looking = new Set<string>();

  /** @param nowMs monotonic time */
  constructor(daemon: Pick<Daemon, "names">, nowMs: () => number = () => performance.now()) {
    this.#daemon = daemon;
    this.#nowMs = nowMs;
  }

  /** Resolves with whether the model is new here, and a target of this daemon serves it. */
  async asked(name: string): Promise<boolean> {
    if (this.#askedAtMs.has(name)) {
      this.#askedAtMs.set(name, this.#nowMs());
      return false;
    }
    if (this.#looking.has(name) || this.#askedAtMs.size >= mostModels) return false;
    this.#looking.add(name);
    const { model, version } = versionedModel(name);
    const resolved = await this.#daemon.names.resolve(model, version).catch(() => undefined);
    this.#looking.delete(name);
    if (resolved !== name) return false;
    this.#askedAtMs.set(name, this.#nowMs());
    return true;
  }

  /** Those that were asked for of late. */
  get names(): readonly string[] {
    const sinceMs = this.#nowMs() - keptMs;
    for (const [name, atMs] of this.#askedAtMs) if (atMs < sinceMs) this.#askedAtMs.delete(name);
    return [...this.#askedAtMs.keys()];
  }
}
