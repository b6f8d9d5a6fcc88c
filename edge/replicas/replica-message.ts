/** What a server and its replica processes say to each other over IPC (structured clones, not JSON). */
import type { ModelMetadata } from "../../protocol/message.ts";
import type { Tensor } from "../../protocol/tensor.ts";
import type { InferenceResult, ModelFile } from "../models/model-runner.ts";

/** Server to replica. `load` comes first and once; then one `run`, with the rows of each of its requests, or `ping` at a time. */
export type ReplicaRequest =
  | { readonly kind: "load"; readonly model: ModelFile; readonly threads: number }
  | { readonly kind: "run"; readonly inputs: readonly Tensor[]; readonly rows: readonly number[] }
  /** Whether it can answer at all. */
  | { readonly kind: "ping" };

/** Replica to server: one answer to each request. */
export type ReplicaReply =
  | { readonly kind: "loaded"; readonly metadata: ModelMetadata }
  | { readonly kind: "pong" }
  | { readonly kind: "result"; readonly result: InferenceResult }
  | { readonly kind: "error"; readonly message: string; readonly status: number };
