/** The process of one replica: loads a model and runs it for the server, which a run must not block or crash. */
import { ProtocolError } from "../../protocol/errors.ts";
import { openModel } from "../models/open-model.ts";
import type { Session } from "../models/session.ts";
import type { LoadReply, LoadRequest } from "./replica.ts";
import type { Framed } from "./wire/frames.ts";
import { answerCalls, type ReplicaAnswer, type ReplicaCall } from "./wire/replica-channel.ts";

let session: Session | undefined;

async function loaded({ model, threads }: LoadRequest): Promise<LoadReply> {
  try {
    session = await openModel(model, threads);
    const { metadata, dimensions, quantisesDynamically } = session;
    return { kind: "loaded", loaded: { metadata, dimensions, quantisesDynamically } };
  } catch (error) {
    return errorOf(error as Error);
  }
}

async function answer({ plain, tensors }: Framed<ReplicaCall>): Promise<Framed<ReplicaAnswer>> {
  if (plain.kind === "ping") return { plain: { kind: "pong" }, tensors: [] };
  try {
    if (session === undefined) throw new ProtocolError("the model is not loaded", 503);
    const { outputs, ...result } = await session.run(tensors, plain.rows);
    return { plain: { kind: "result", ...result }, tensors: outputs };
  } catch (error) {
    return { plain: errorOf(error as Error), tensors: [] };
  }
}

function errorOf(error: Error): {
  readonly kind: "error";
  readonly message: string;
  readonly status: number;
} {
  return {
    kind: "error",
    message: error.message,
    status: error instanceof ProtocolError ? error.status : 500,
  };
}

process.on("message", (request: LoadRequest) => {
  void loaded(request).then((reply) => {
    // A failed send means that the server is gone; then 'disconnect' ends this process.
    process.send?.(reply, undefined, undefined, () => {});
  });
});
answerCalls(answer);

// The server decides when a replica stops, but Ctrl-C in a terminal reaches every process of the group.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
process.on("disconnect", () => process.exit(0));
