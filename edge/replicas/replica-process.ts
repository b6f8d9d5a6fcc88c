/** The process of one replica: loads a model and runs it for the server, which a run must not block or crash. */
import { ProtocolError } from "../../protocol/errors.ts";
import { openModel } from "../models/open-model.ts";
import type { Session } from "../models/session.ts";
import { loadOnnxRuntime } from "../runtime/load-runtime.ts";
import type { ReplicaReply, ReplicaRequest } from "./replica.ts";

let session: Session | undefined;

// A process that waits as a spare has the library in memory before it has a model. One that is given the folder of another
// library loads that with the model, whose refusal then says why it cannot.
if (process.argv[2] === undefined) loadOnnxRuntime();

function reply(message: ReplicaReply): void {
  // A failed send means that the server is gone; then 'disconnect' ends this process.
  process.send?.(message, undefined, undefined, () => {});
}

async function answer(request: ReplicaRequest): Promise<ReplicaReply> {
  if (request.kind === "load") {
    session = await openModel(request.model, request.threads);
    const { metadata, dimensions, quantisesDynamically } = session;
    return { kind: "loaded", loaded: { metadata, dimensions, quantisesDynamically } };
  }
  if (request.kind === "ping") return { kind: "pong" };
  if (session === undefined) throw new ProtocolError("the model is not loaded", 503);
  return { kind: "result", result: await session.run(request.inputs, request.rows) };
}

process.on("message", (request: ReplicaRequest) => {
  answer(request).then(reply, (error: Error) => {
    const status = error instanceof ProtocolError ? error.status : 500;
    reply({ kind: "error", message: error.message, status });
  });
});

// The server decides when a replica stops, but Ctrl-C in a terminal reaches every process of the group.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
process.on("disconnect", () => process.exit(0));
