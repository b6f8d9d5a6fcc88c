/** The endpoint for people with curl, beside the protocol: files in, plain JSON out. */
import type { Hono } from "hono";
import type { AccessGate } from "../../base/access/access-gate.ts";
import { answerFiles, readFiles } from "../../protocol/server/predict.ts";
import { modelPaths, route } from "../../protocol/server/route.ts";
import type { ModelRunner } from "../models/model-runner.ts";
import { metadataOrRefusal, untilKnown } from "../models/why-not-ready.ts";
import { arrivalMs, infer, limitsOf, refuseEarly } from "../server/infer.ts";
import { requestedModel } from "./route.ts";

/** `POST …/predict`: a form with one or more files, or the bytes of one file as the body. */
export function addPredictRoute(app: Hono, models: Iterable<ModelRunner>, gate?: AccessGate): void {
  route(app, "POST", modelPaths("/predict"), async (context) => {
    const arrivedAtMs = arrivalMs();
    const runner = requestedModel(models, context);
    await refuseEarly(runner, context);
    await untilKnown(runner);
    const metadata = metadataOrRefusal(runner);
    const request = await readFiles(context, metadata);
    gate?.countRows(context, request.inputs[0]?.shape[0] ?? 1);
    const response = await infer(runner, request, limitsOf(request, arrivedAtMs, context));
    return answerFiles(context, response, request, metadata);
  });
}
