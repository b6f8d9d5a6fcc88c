/**
 * A handler: the code of a model beside its ONNX file, or instead of one. It turns what clients send, such as pictures,
 * into what the model takes, and what the model gives into answers. Handlers run in replica processes.
 */
import type { TensorMetadata } from "../../../protocol/message.ts";
import type { Tensor } from "../../../protocol/tensor.ts";
import type { HandlerTools } from "./handler-tools.ts";

/** What a handler is told about its model. */
export interface HandlerModel {
  readonly name: string;
  readonly version: string;
  /** The folder of the model's files. */
  readonly folder: string;
  /** `settings` of its config.yaml. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** `labels` of its config.yaml, in the order of the output, or those that its file has itself. */
  readonly labels: readonly string[] | undefined;
  /** What the ONNX file says of itself, such as `imgsz`. Absent when there is none. */
  readonly properties?: ReadonlyMap<string, string>;
  /** Those of the ONNX file; empty when there is none. */
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}

/** A request that is ready for the model. */
export interface Prepared {
  /** The inputs of `predict`, of any number of rows. */
  readonly inputs: readonly Tensor[];
  /** Passed on to `postprocess`, such as the size of the picture. */
  readonly note?: unknown;
}

type Maybe<T> = T | Promise<T>;

/** Runs the model on the rows of one or more prepared requests. */
export type Predict = (inputs: readonly Tensor[]) => Maybe<readonly Tensor[]>;

/**
 * All parts are optional. When a part throws, the answer is 500 or the `status` of the error. What `preprocess` and
 * `postprocess` throw fails their own request only. The last argument of each part has tools, so that no package is needed.
 * `docs/guide/handlers.md` has examples.
 */
export interface Handler {
  /** What clients send and get. Default: those of the ONNX file. First dimensions of -1 let requests share runs. */
  readonly inputs?: readonly TensorMetadata[];
  readonly outputs?: readonly TensorMetadata[];
  /** Called once in each replica, before all others. */
  load?(model: HandlerModel, tools: HandlerTools): Maybe<void>;
  /** For each request: from its inputs to those of the model. Default: unchanged. */
  preprocess?(inputs: readonly Tensor[], tools: HandlerTools): Maybe<Prepared>;
  /** For each batch: prepared requests of equal shapes, joined along rows. Default: `run`, the ONNX file. */
  predict?(inputs: readonly Tensor[], run: Predict, tools: HandlerTools): Maybe<readonly Tensor[]>;
  /** For each request: from the model's outputs to its own, with as many rows as it has. Default: unchanged. */
  postprocess?(outputs: readonly Tensor[], note: unknown, tools: HandlerTools): Maybe<readonly Tensor[]>;
}
