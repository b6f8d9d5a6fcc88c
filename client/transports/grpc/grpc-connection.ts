/** The one connection that all calls of a client of gRPC go over: when it is there, and when it has gone. */
import type { Client, connectivityState } from "@grpc/grpc-js";
import { NotSentFailure } from "../transport.ts";

type States = typeof connectivityState;

export class GrpcConnection {
  readonly #client: Client;
  readonly #states: States;
  readonly #onGone: (() => void) | undefined;
  #isWatched = false;
  #isClosed = false;

  constructor(client: Client, states: States, onGone: (() => void) | undefined) {
    this.#client = client;
    this.#states = states;
    this.#onGone = onGone;
  }

  /** Resolves once there is a connection; rejects with a NotSentFailure when there is none in time. */
  async open(url: string, timeoutMs: number): Promise<void> {
    const channel = this.#client.getChannel();
    const untilMs = Date.now() + timeoutMs;
    for (;;) {
      const state = channel.getConnectivityState(true);
      if (state === this.#states.READY) break;
      if (state === this.#states.TRANSIENT_FAILURE || state === this.#states.SHUTDOWN)
        throw new NotSentFailure("target_unreachable", `${url}: no connection`);
      const hasChanged = await new Promise<boolean>((resolve) => {
        channel.watchConnectivityState(state, untilMs, (error) => resolve(error === undefined));
      });
      if (!hasChanged)
        throw new NotSentFailure(
          "target_unreachable",
          `${url} took no connection within ${Math.ceil(timeoutMs)} ms`,
        );
    }
    this.#watch();
  }

  close(): void {
    this.#isClosed = true;
  }

  /** Tells when the connection ends that is there now. */
  #watch(): void {
    if (this.#isWatched || this.#onGone === undefined) return;
    this.#isWatched = true;
    this.#client.getChannel().watchConnectivityState(this.#states.READY, Infinity, () => {
      this.#isWatched = false;
      if (!this.#isClosed) this.#onGone?.();
    });
  }
}
