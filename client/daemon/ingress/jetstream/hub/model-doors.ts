/** Where a daemon that serves models is asked over NATS what they take, by sites whose hub it is part of. */
import type { Hono } from "hono";
import { answerCall } from "../../../../../base/nats/answer-call.ts";
import { CallServer } from "../../../../../base/nats/call-server.ts";
import type { Engine } from "../../../../../base/nats/engine.ts";

/** Most bytes of a question's body; those of the protocol have none. */
const mostBodyBytes = 65_536;

export class ModelDoors {
  readonly #engine: Engine;
  readonly #app: Pick<Hono, "fetch">;
  readonly #doors = new Map<string, CallServer>();

  constructor(engine: Engine, app: Pick<Hono, "fetch">) {
    this.#engine = engine;
    this.#app = app;
  }

  /** Opens those of the models that are served now, and closes the others. */
  follow(served: ReadonlySet<string>): void {
    const { connection, mostBytes: mostMessageBytes, names } = this.#engine;
    for (const model of served)
      if (!this.#doors.has(model))
        this.#doors.set(
          model,
          new CallServer({
            connection,
            subject: names.doors.subject(model),
            group: "doors",
            mostMessageBytes,
            mostBodyBytes,
            // Requests go by the shared queue, which this is no way around.
            answer: (call, signal) => answerCall(this.#app, call, signal, ["GET"]),
          }),
        );
    for (const [model, door] of this.#doors)
      if (!served.has(model)) {
        this.#doors.delete(model);
        void door.close();
      }
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#doors.values(), (door) => door.close()));
    this.#doors.clear();
  }
}
