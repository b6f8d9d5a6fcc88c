/** A stage's call as a request to a model: what goes in, what comes out, and whose fault an error is. */
import { ProtocolError } from "../../../protocol/errors.ts";
import { type Tensor, tensorFromStrings } from "../../../protocol/tensor.ts";
import type { ModelRunner } from "../../models/model-runner.ts";
import type { ModelStage, StepStage } from "./pipeline-config.ts";
import { pick, type Value, type Values } from "./run-stages.ts";

export function inputsOf(stage: ModelStage | StepStage, values: Values): Tensor[] {
  if ("model" in stage) {
    return Object.entries(stage.inputs).map(([name, columns]) => renamed(pick(columns, values).tensor, name));
  }
  const argument =
    stage.argument === undefined ? tensorFromStrings("", [1], [""]) : pick(stage.argument, values).tensor;
  return [
    renamed(pick(stage.picture, values).tensor, "picture"),
    tensorFromStrings("step", [1], [stage.step]),
    renamed(argument, "argument"),
  ];
}

export function valueOf(tensor: Tensor, stage: ModelStage | StepStage, { metadata }: ModelRunner): Value {
  if ("step" in stage) return { tensor, ...(stage.step === "crop" && { content: "list" }) };
  const content = metadata?.outputs.find(({ name }) => name === tensor.name)?.parameters?.["content"];
  return { tensor, ...(typeof content === "string" && { content }) };
}

/** The same error, with the stage in its message. */
export function staged(stage: string, error: Error): Error {
  const { status = 500, retryAfterS } = error as { status?: number; retryAfterS?: number };
  const named = new ProtocolError(`stage ${stage}: ${error.message}`, status);
  return retryAfterS === undefined ? named : Object.assign(named, { retryAfterS });
}

export function renamed(tensor: Tensor, name: string): Tensor {
  return { ...tensor, name };
}
