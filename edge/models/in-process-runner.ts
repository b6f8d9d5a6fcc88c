/** A model that runs in this very process, as in a function, whose instance serves one call at a time. */
import { ProtocolError } from "../../protocol/errors.ts";
import { checkInputs, type ModelFile, type ModelRunner } from "./model-runner.ts";
import { openModel } from "./open-model.ts";
import type { Session } from "./session.ts";

/** @param threads threads of one operator, an integer from 1 */
export function inProcessRunner(model: ModelFile, threads: number): ModelRunner {
  let session: Session | undefined;
  const loading = openModel(model, threads).then((loaded) => {
    session = loaded;
  });
  loading.catch(() => {}); // whoever awaits ready() or run() sees the failure
  return {
    model,
    replicas: 1,
    get isReady() {
      return session !== undefined;
    },
    get metadata() {
      return session?.metadata;
    },
    ready: () => loading,
    checkRoom: () => {},
    run: async ({ inputs }) => {
      const calledAtMs = performance.now();
      await loading.catch((error: Error) => {
        throw new ProtocolError(`model ${model.name} cannot be loaded: ${error.message}`, 503);
      });
      const queuedMs = performance.now() - calledAtMs;
      const opened = session as Session;
      checkInputs(opened.metadata, inputs);
      const result = await opened.run(inputs, [inputs[0]?.shape[0] ?? 1]);
      const fault = result.faults?.[0];
      if (fault !== undefined) throw new ProtocolError(fault.message, fault.status);
      return { ...result, queuedMs, replica: 0 };
    },
    status: () => ({
      name: model.name,
      version: model.version,
      state: session === undefined ? "loading" : "ready",
      queueRows: 0,
      queueBytes: 0,
      openRequests: 0,
      replicas: [
        { index: 0, state: session === undefined ? "starting" : "up", pid: process.pid, restarts: 0 },
      ],
      events: [],
    }),
    close: async () => {},
  };
}
