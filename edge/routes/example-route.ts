/** The endpoint that names an example request of a model, for whoever wants to measure it: an extension of the protocol. */
import type { Hono } from "hono";
import { ProtocolError } from "../../protocol/errors.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import { modelPaths, route } from "../../protocol/server/route.ts";
import { answerWire } from "../../protocol/v2-http.ts";
import type { ExampleBook } from "../example/example-book.ts";
import type { ModelRunner } from "../models/model-runner.ts";
import { requestedModel } from "./route.ts";

/** `GET …/example` answers with the body of an inference request: binary tensors, or JSON with `?form=json`. */
export function addExampleRoute(app: Hono, models: Iterable<ModelRunner>, examples: ExampleBook): void {
  route(app, "GET", modelPaths("/example"), async (context) => {
    const form = context.req.query("form") ?? "binary";
    if (form !== "binary" && form !== "json")
      throw new ProtocolError(`form is "${form.slice(0, 100)}"; allowed: binary, json`);
    const request = await examples.of(requestedModel(models, context));
    return answerWire(context, encodeInferRequest(request, { binary: form === "binary" }));
  });
}
