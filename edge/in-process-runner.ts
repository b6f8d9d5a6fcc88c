/**
 * A model that runs in this very process. Right inside a function, whose instance serves one call at a time
 * anyway and should start fast; wrong in a server, because a run blocks the thread.
 */
import { ProtocolError } from "../protocol/errors.ts";
import type { ModelFile, ModelRunner } from "./model-runner.ts";
import { openSession, type Session } from "./session.ts";

/** @param threads threads of one operator, an integer from 1 */
export function inProcessRunner(model: ModelFile, threads: number): ModelRunner {
  let session: Session | undefined;
  const opened = openSession(model, threads).then((loaded) => {
    session = loaded;
  });
  opened.catch(() => {}); // whoever awaits ready() or run() sees the failure
  return {
    model,
    replicas: 1,
    get isReady() {
      return session !== undefined;
    },
    get metadata() {
      return session?.metadata;
    },
    ready: () => opened,
    run: async (inputs) => {
      const calledAtMs = performance.now();
      await opened.catch((error: Error) => {
        throw new ProtocolError(`model ${model.name} cannot be loaded: ${error.message}`, 503);
      });
      const queuedMs = performance.now() - calledAtMs;
      const result = await (session as Session).run(inputs);
      return { ...result, queuedMs, replica: 0 };
    },
    close: async () => {},
  };
}
