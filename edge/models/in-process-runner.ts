/**
 * A model that runs in this very process, as in a function, whose instance serves one call at a time. It proves nothing
 * about rows: only the settings, or a batch that is fixed at one row, let it run them apart.
 */
import { ProtocolError } from "../../protocol/errors.ts";
import { checkRequest, publishedJoining } from "../joining/published-joining.ts";
import { rowStructure } from "../joining/row-structure.ts";
import type { ModelFile, ModelRunner } from "./model-runner.ts";
import { openModel } from "./open-model.ts";
import type { Session } from "./session.ts";

/** @param threads threads of one operator, an integer from 1 */
export function inProcessRunner(model: ModelFile, threads: number): ModelRunner {
  let session: Session | undefined;
  let fault: string | undefined;
  const loading = openModel(model, threads).then((loaded) => {
    session = loaded;
  });
  loading.catch((error: Error) => (fault = error.message));
  return {
    model,
    replicas: 1,
    get isReady() {
      return session !== undefined;
    },
    get metadata() {
      return session?.metadata;
    },
    get joining() {
      return session && publishedJoining(session.metadata, model.config, model.config?.joinRows === true);
    },
    ready: () => loading,
    checkRoom: () => {},
    run: async (request) => {
      const { inputs } = request;
      const calledAtMs = performance.now();
      await loading.catch((error: Error) => {
        throw new ProtocolError(`model ${model.name} cannot be loaded: ${error.message}`, 503);
      });
      const queuedMs = performance.now() - calledAtMs;
      const opened = session as Session;
      const { joinRows } = model.config ?? {};
      const { fixedRows } = rowStructure(opened.metadata);
      const hasSeparateRows = joinRows ?? fixedRows === 1;
      checkRequest(opened.metadata, request, { hasSeparateRows, isOff: joinRows === false });
      const result = await opened.run(inputs, [inputs[0]?.shape[0] ?? 1]);
      const ownFault = result.faults?.[0];
      if (ownFault !== undefined) throw new ProtocolError(ownFault.message, ownFault.status);
      return { ...result, queuedMs, replica: 0 };
    },
    status: () => ({
      name: model.name,
      version: model.version,
      state: session !== undefined ? "ready" : fault !== undefined ? "failed" : "loading",
      queueRows: 0,
      queueBytes: 0,
      openRequests: 0,
      replicas: [
        {
          index: 0,
          state: session !== undefined ? "up" : fault !== undefined ? "failed" : "starting",
          pid: process.pid,
          restarts: 0,
        },
      ],
      lastError: fault,
      events: [],
    }),
    close: async () => {},
  };
}
