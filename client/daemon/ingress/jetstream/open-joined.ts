/** Makes a daemon one of several that share their requests over NATS, from its options. */
import type { Logger } from "pino";
import { type Engine, joinNats } from "../../../../base/nats/engine.ts";
import type { Environment } from "../../../../base/program/secrets.ts";
import type { DaemonOptions } from "../../options.ts";

export interface OpenJoinedOptions {
  readonly options: DaemonOptions;
  readonly env: Environment;
  readonly log: Logger;
}

export class Joined {
  readonly #options: OpenJoinedOptions;
  #engine: Engine | undefined;

  constructor(options: OpenJoinedOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the server is there, or when the daemon is stopped before; rejects with a UsageError when the server
   * cannot be used.
   */
  async connect(stop: AbortSignal): Promise<void> {
    const { options, env, log } = this.#options;
    try {
      this.#engine = await joinNats(options, { as: "vqueue", env, log, stop });
    } catch (error) {
      if (!stop.aborted) throw error;
    }
  }

  async close(): Promise<void> {
    await this.#engine?.close();
  }
}
