/** The thread that reads and prints long bodies: a job comes in, its result goes out, with their memory and not a copy. */
import { parentPort } from "node:worker_threads";
import { decodeInferResponse } from "../decode.ts";
import { binaryWanted, encodeInferResponse } from "../encode.ts";
import { ProtocolError } from "../errors.ts";
import type { CodecJob, CodecResult } from "./codec-threads.ts";
import { readRequest } from "./read-request.ts";

function resultOf(job: CodecJob): CodecResult {
  try {
    if (job.kind === "write")
      return { kind: "written", wire: encodeInferResponse(job.response, binaryWanted(job.request)) };
    if (job.kind === "read") return { kind: "read", request: readRequest(job.wire, undefined) };
    const { body, headerBytes } = job.wire;
    return { kind: "answer", response: decodeInferResponse(body, headerBytes, job.model) };
  } catch (error) {
    const { message } = error as Error;
    return { kind: "refused", message, status: error instanceof ProtocolError ? error.status : 500 };
  }
}

/** The memory of a result, each part once. */
function buffersOf(result: CodecResult): ArrayBuffer[] {
  if (result.kind === "refused") return [];
  if (result.kind === "written") return [result.wire.body.buffer as ArrayBuffer];
  const tensors = result.kind === "read" ? result.request.inputs : result.response.outputs;
  const views = tensors.map(({ data }) => data);
  return [...new Set(views.map(({ buffer }) => buffer as ArrayBuffer))];
}

parentPort?.on("message", (job: CodecJob) => {
  const result = resultOf(job);
  parentPort?.postMessage(result, buffersOf(result));
});
