/**
 * A session with a handler before and behind it. The rows of several requests come as one batch; each request is
 * prepared and answered apart, so that a fault in one is not a fault of the others.
 */
import { ProtocolError } from "../../../protocol/errors.ts";
import type { ModelMetadata } from "../../../protocol/message.ts";
import { cutRows, joinRows } from "../../../protocol/stack.ts";
import type { Tensor } from "../../../protocol/tensor.ts";
import type { InferenceResult, RequestFault } from "../../models/model-runner.ts";
import type { Session } from "../../models/session.ts";
import type { Handler, Predict, Prepared } from "./handler.ts";
import { predictTogether } from "./predict-together.ts";
import { type Settled, settled } from "./settled.ts";

export function handledSession(handler: Handler, metadata: ModelMetadata, predict: Predict): Session {
  if (handler.preprocess === undefined && handler.postprocess === undefined) return bare(metadata, predict);
  return {
    metadata,
    run: async (inputs, rows) => {
      const startedAtMs = performance.now();
      const requests = rows.length === 1 ? [inputs] : cutRows(inputs, rows);
      const answers = await answerEach(handler, predict, requests, rows);
      const faults = answers.map((answer) =>
        answer instanceof Error ? faultOf(answer, metadata.name) : undefined,
      );
      const good = answers.flatMap((answer) => (answer instanceof Error ? [] : [answer]));
      return {
        outputs: good.length > 1 ? joinRows(good) : (good[0] ?? []),
        serviceMs: performance.now() - startedAtMs,
        ...(good.length < answers.length && { faults }),
      } satisfies InferenceResult;
    },
  };
}

/** What is the batch's business only: the rows go through as they come. */
function bare(metadata: ModelMetadata, predict: Predict): Session {
  return {
    metadata,
    run: async (inputs) => {
      const startedAtMs = performance.now();
      try {
        const outputs = await predict(inputs);
        return { outputs, serviceMs: performance.now() - startedAtMs };
      } catch (error) {
        const { message, status } = faultOf(error as Error, metadata.name);
        throw new ProtocolError(message, status);
      }
    },
  };
}

async function answerEach(
  handler: Handler,
  predict: Predict,
  requests: readonly (readonly Tensor[])[],
  rows: readonly number[],
): Promise<Settled<readonly Tensor[]>[]> {
  const prepared = await Promise.all(
    requests.map((inputs) =>
      settled<Prepared>(async () => (await handler.preprocess?.(inputs)) ?? { inputs }),
    ),
  );
  const predicted = await predictTogether(
    prepared.map((each) => (each instanceof Error ? each : each.inputs)),
    predict,
  );
  return Promise.all(
    predicted.map((outputs, index) =>
      settled(async () => {
        if (outputs instanceof Error) throw outputs;
        const { note } = prepared[index] as Prepared;
        const answer = (await handler.postprocess?.(outputs, note)) ?? outputs;
        checkRows(answer, rows[index] as number);
        return answer;
      }),
    ),
  );
}

function checkRows(outputs: readonly Tensor[], rows: number): void {
  const wrong = outputs.find(({ shape }) => shape.length > 0 && shape[0] !== rows);
  if (wrong === undefined) return;
  throw new Error(`output "${wrong.name}" is [${wrong.shape.join(",")}] for a request of ${rows} rows`);
}

function faultOf(error: Error, model: string): RequestFault {
  const { status } = error as { status?: unknown };
  if (error instanceof ProtocolError || typeof status === "number") {
    return { message: error.message, status: Number(status) };
  }
  return { message: `model ${model} failed: ${error.message}`, status: 500 };
}
