/**
 * What a handler is: the code of a model beside its ONNX file, or instead of one. It turns what clients send, such as
 * pictures, into what the model takes, and what the model gives into answers. Handlers run in replica processes.
 */
import type { TensorMetadata } from "../../../protocol/message.ts";
import type { Tensor } from "../../../protocol/tensor.ts";

/** What a handler knows of the model it belongs to. */
export interface HandlerModel {
  readonly name: string;
  readonly version: string;
  /** The folder that holds the model's files. */
  readonly folder: string;
  /** `settings` of its config.yaml. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** `labels` of its config.yaml, in the order of the output. */
  readonly labels: readonly string[] | undefined;
  /** Of the ONNX file; empty when the model has none. */
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}

/** A request made ready for the model. */
export interface Prepared {
  /** What `predict` is to run, of any number of rows. */
  readonly inputs: readonly Tensor[];
  /** Handed on to `postprocess`, such as the size of the picture. */
  readonly note?: unknown;
}

type Maybe<T> = T | Promise<T>;

/** Runs the model on the rows of one or more prepared requests. */
export type Predict = (inputs: readonly Tensor[]) => Maybe<readonly Tensor[]>;

/**
 * Every part may be left out. A part that throws fails with 500, or with the `status` that the error has; what
 * `preprocess` and `postprocess` throw fails their own request alone.
 */
export interface Handler {
  /** What clients send and get; without them as the ONNX file has them. First dimensions of -1 let requests share runs. */
  readonly inputs?: readonly TensorMetadata[];
  readonly outputs?: readonly TensorMetadata[];
  /** Called once in each replica, before all others. */
  load?(model: HandlerModel): Maybe<void>;
  /** For each request: its inputs to those of the model. Default: as they are. */
  preprocess?(inputs: readonly Tensor[]): Maybe<Prepared>;
  /**
   * For each batch: prepared requests of equal datatypes and shapes, joined along their first dimension.
   *
   * @param run runs the ONNX file, which is the default
   */
  predict?(inputs: readonly Tensor[], run: Predict): Maybe<readonly Tensor[]>;
  /** For each request: the model's outputs to its own, with as many rows as the request had. Default: as they are. */
  postprocess?(outputs: readonly Tensor[], note: unknown): Maybe<readonly Tensor[]>;
}
