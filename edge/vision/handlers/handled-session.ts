/** A session with a handler before and behind it. A fault in one request of a batch does not fail the others. */
import { ProtocolError } from "../../../protocol/errors.ts";
import type { ModelMetadata } from "../../../protocol/message.ts";
import { cutRows, joinRows, stackKey } from "../../../protocol/stack.ts";
import { shapeText, type Tensor } from "../../../protocol/tensor.ts";
import type { InferenceResult, RequestFault } from "../../models/model-runner.ts";
import type { Session } from "../../models/session.ts";
import type { Handler, Predict, Prepared } from "./handler.ts";
import { handlerTools } from "./handler-tools.ts";

/** A result, or the error of the one request that it is for. */
type Outcome<T> = T | Error;
type Tensors = readonly Tensor[];

type Run = (inputs: Tensors, rows: readonly number[]) => Promise<Omit<InferenceResult, "serviceMs">>;

export function handledSession(handler: Handler, metadata: ModelMetadata, predict: Predict): Session {
  const runTogether: Run = async (inputs) => {
    try {
      return { outputs: await predict(inputs) };
    } catch (error) {
      const { message, status } = faultOf(error as Error, metadata.name);
      throw new ProtocolError(message, status);
    }
  };
  const runEach: Run = async (inputs, rows) => {
    const requests = rows.length === 1 ? [inputs] : cutRows(inputs, rows);
    const answers = await answerEach(handler, predict, requests);
    // A lone request gets its answer as it is. In company it fails, and the pool runs each request alone.
    if (rows.length > 1) checkRows(answers, rows, metadata.name);
    const good = answers.filter((answer): answer is Tensors => !(answer instanceof Error));
    const outputs = good.length > 1 ? joinRows(good) : (good[0] ?? []);
    if (good.length === answers.length) return { outputs };
    const faults = answers.map((each) => (each instanceof Error ? faultOf(each, metadata.name) : undefined));
    return { outputs, faults };
  };
  const hasParts = handler.preprocess !== undefined || handler.postprocess !== undefined;
  return {
    metadata,
    run: async (inputs, rows) => {
      const startedAtMs = performance.now();
      const result = await (hasParts ? runEach : runTogether)(inputs, rows);
      return { ...result, serviceMs: performance.now() - startedAtMs };
    },
  };
}

async function answerEach(
  handler: Handler,
  predict: Predict,
  requests: readonly Tensors[],
): Promise<Outcome<Tensors>[]> {
  const prepared = await Promise.all(
    requests.map((inputs) =>
      outcomeOf<Prepared>(async () => (await handler.preprocess?.(inputs, handlerTools)) ?? { inputs }),
    ),
  );
  const predicted = await predictTogether(
    prepared.map((each) => (each instanceof Error ? each : each.inputs)),
    predict,
  );
  return Promise.all(
    predicted.map((outputs, index) =>
      outcomeOf(async () => {
        if (outputs instanceof Error) throw outputs;
        const { note } = prepared[index] as Prepared;
        return (await handler.postprocess?.(outputs, note, handlerTools)) ?? outputs;
      }),
    ),
  );
}

/** Requests of equal shapes run together. When the model fails on several, this rejects, and the pool halves the batch. */
async function predictTogether(
  requests: readonly Outcome<Tensors>[],
  predict: Predict,
): Promise<Outcome<Tensors>[]> {
  const outcomes = [...requests];
  const groups = new Map<string, number[]>();
  for (const [index, inputs] of requests.entries()) {
    if (inputs instanceof Error) continue;
    const key = stackKey({ parameters: {}, inputs: [...inputs] });
    groups.set(key, [...(groups.get(key) ?? []), index]);
  }
  for (const members of groups.values()) {
    const inputs = members.map((index) => requests[index] as Tensors);
    const outputs = await outputsOf(inputs, predict);
    for (const [place, index] of members.entries()) outcomes[index] = outputs[place] as Outcome<Tensors>;
  }
  return outcomes;
}

async function outputsOf(
  requests: readonly Tensors[],
  predict: Predict,
): Promise<readonly Outcome<Tensors>[]> {
  const [only, second] = requests;
  if (only !== undefined && second === undefined) return [await outcomeOf(async () => predict(only))];
  const rows = requests.map(([first]) => first?.shape[0] ?? 1);
  return cutRows(await predict(joinRows(requests)), rows);
}

async function outcomeOf<T>(call: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return await call();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function checkRows(answers: readonly Outcome<Tensors>[], rows: readonly number[], model: string): void {
  for (const [index, answer] of answers.entries()) {
    if (answer instanceof Error) continue;
    const wrong = answer.find(({ shape }) => shape[0] !== rows[index]);
    if (wrong === undefined) continue;
    const text = `output "${wrong.name}" is ${shapeText(wrong.shape)} for a request of ${rows[index]} rows`;
    throw new ProtocolError(`model ${model} failed: ${text}`, 500);
  }
}

function faultOf(error: Error, model: string): RequestFault {
  const { status } = error as { status?: unknown };
  if (typeof status === "number") return { message: error.message, status };
  return { message: `model ${model} failed: ${error.message}`, status: 500 };
}
