/** The queue's endpoint for people with curl: files in, plain JSON out, for models that take files. */
import type { Hono } from "hono";
import type { AccessGate } from "../../../base/access/access-gate.ts";
import { answerFiles, readFiles } from "../../../protocol/server/predict.ts";
import { modelPaths, route } from "../../../protocol/server/route.ts";
import type { Daemon } from "../daemon.ts";
import { answerId } from "./request-stories.ts";
import { hintsOf, neededMetadata, tensorBytes, withFacts, withRetryAfter } from "./served-answer.ts";

/** `POST …/predict`: each file is a row of bytes, which shares batches with the rows of other callers. */
export function addQueuePredict(app: Hono, daemon: Daemon, gate: AccessGate): void {
  route(app, "POST", modelPaths("/predict"), async (context) => {
    const id = answerId(context, daemon.recent);
    try {
      const model = await daemon.findModel(context.req.param("model"), context.req.param("version"));
      const metadata = await neededMetadata(daemon.models, model);
      const request = await readFiles(context, metadata);
      gate.countRows(context, request.inputs[0]?.shape[0] ?? 1);
      const { onNumber, onId } = id;
      const bytes = tensorBytes(request.inputs);
      const call = { model, request, bytes, hints: hintsOf(context, gate), onNumber, onId };
      const served = await daemon.submit(call, context.req.raw.signal);
      return answerFiles(context, withFacts(served), request, metadata);
    } catch (error) {
      id.failed(error);
      throw withRetryAfter(error);
    }
  });
}
