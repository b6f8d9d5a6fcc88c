/**
 * An example request for each model that can run: from its warm-up, from the shapes of requests that it answered, or made
 * up from its metadata. Each is tried before it is named. What callers sent is never told to others, only its shapes.
 */
import { ProtocolError } from "../../protocol/errors.ts";
import type { InferRequest } from "../../protocol/message.ts";
import type { ModelFile, ModelRunner } from "../models/model-runner.ts";
import { metadataOrRefusal, untilKnown } from "../models/why-not-ready.ts";
import { exampleCandidates, type KnownShapes, mostExampleBytes } from "./example-candidates.ts";

/** Most requests that are tried for a model, and how long each may take, in milliseconds. */
const mostTried = 24;
const longestTrialMs = 5_000;
/** Of a model that may have to be loaded first, after others have made room. */
const longestOnDemandMs = 60_000;
/** How long a model of which no example was found is not tried again, in milliseconds. */
const untriedMs = 30_000;
/** Of the requests that are answered, the shapes of one in so many are kept. */
const seenEvery = 64;

interface OfModel {
  /** Requests that were answered. */
  answered: number;
  seen?: KnownShapes;
  example?: Promise<InferRequest>;
  /** When no example was found. */
  failedAtMs?: number;
  /** The shapes of the example, once it has run. */
  shapes?: KnownShapes;
}

export class ExampleBook {
  readonly #ofModels = new WeakMap<ModelFile, OfModel>();

  /** The model has answered a request. */
  answered(model: ModelFile, { inputs }: InferRequest): void {
    const own = this.#of(model);
    if (own.answered++ % seenEvery !== 0) return;
    own.seen = shapesIn(inputs);
    if (own.failedAtMs !== undefined) delete own.example;
    delete own.failedAtMs;
  }

  /** Shapes of a request that works, as far as is known without a run. */
  shapesOf(model: ModelFile): KnownShapes | undefined {
    return this.#knownOf(model)[0];
  }

  /**
   * A request of one row that the model has answered. Rejects with a ProtocolError: 404 when none is found, 503 when the
   * model cannot be tried now.
   */
  async of(runner: ModelRunner): Promise<InferRequest> {
    const own = this.#of(runner.model);
    const { failedAtMs = Infinity } = own;
    if (performance.now() - failedAtMs > untriedMs) delete own.example;
    own.example ??= this.#found(runner, own);
    try {
      return await own.example;
    } catch (error) {
      if ((error as { status?: number }).status === 404) own.failedAtMs ??= performance.now();
      else delete own.example;
      throw error;
    }
  }

  async #found(runner: ModelRunner, own: OfModel): Promise<InferRequest> {
    const { model } = runner;
    await untilKnown(runner);
    const metadata = metadataOrRefusal(runner);
    const isHandled = model.handler !== undefined || metadata.platform !== "onnx_onnxv1";
    let why = `its inputs take more than ${mostExampleBytes} bytes`;
    let tried = 0;
    for (const inputs of exampleCandidates(metadata, this.#knownOf(model), isHandled)) {
      if (inputs.some(({ data, shape }) => data.length === 0 && !shape.includes(0))) continue;
      if (++tried > mostTried) break;
      const request: InferRequest = { parameters: {}, inputs };
      try {
        const trialMs = runner.isOnDemand === true ? longestOnDemandMs : longestTrialMs;
        await runner.run(request, { deadlineAtMs: performance.now() + trialMs });
        own.shapes = shapesIn(inputs);
        delete own.failedAtMs;
        return request;
      } catch (error) {
        const { status, message } = error as { status?: number; message: string };
        // It is asked too much, or cannot run at all, which says nothing of the request.
        if (status === 503) throw error;
        why = message;
        // One more would cost replicas.
        if (/died|timeout passed/.test(message)) break;
      }
    }
    throw new ProtocolError(`no example of model "${model.name}" is known: ${why}`, 404);
  }

  #knownOf(model: ModelFile): KnownShapes[] {
    const { seen, shapes } = this.#of(model);
    const known = [...(model.config?.warmUp ?? []), model.exampleShapes, shapes, seen];
    return known.filter((each) => each !== undefined);
  }

  #of(model: ModelFile): OfModel {
    let own = this.#ofModels.get(model);
    if (own === undefined) this.#ofModels.set(model, (own = { answered: 0 }));
    return own;
  }
}

function shapesIn(inputs: InferRequest["inputs"]): KnownShapes {
  return Object.fromEntries(inputs.map(({ name, shape }) => [name, shape]));
}
