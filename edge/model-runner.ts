/**
 * What the edge app asks of a model: to run a batch. A pool of replica processes and a session in this
 * process both are one, so the same app serves at the edge and inside a function.
 */
import type { ModelMetadata } from "../protocol/message.ts";
import type { Tensor } from "../protocol/tensor.ts";

/** A model file in a repository. */
export interface ModelFile {
  readonly name: string;
  readonly version: string;
  /** Path of the ONNX file. */
  readonly path: string;
  /** Shapes of one row that suit the model, by input, where the model leaves dimensions open. */
  readonly exampleShapes?: Readonly<Record<string, readonly number[]>>;
}

/** Outputs of one run, with the time that the model itself took. */
export interface InferenceResult {
  readonly outputs: readonly Tensor[];
  readonly serviceMs: number;
}

export interface BatchResult extends InferenceResult {
  /** Time from the call until the model began. */
  readonly queuedMs: number;
  /** Which replica ran it; counts from 0. */
  readonly replica: number;
}

export interface ModelRunner {
  readonly model: ModelFile;
  /** Batches that are run at once. */
  readonly replicas: number;
  /** True when a run would start or wait, not fail. */
  readonly isReady: boolean;
  /** Names, types and shapes; undefined until the model was loaded once. */
  readonly metadata: ModelMetadata | undefined;
  /** Resolves when the model can run for the first time; rejects when it cannot be loaded. */
  ready(): Promise<void>;
  /**
   * Run a batch. Rejects with a ProtocolError: 400 when the inputs do not fit the model, 503 when it cannot
   * run now and another try may help, 500 when the model failed.
   */
  run(inputs: readonly Tensor[]): Promise<BatchResult>;
  /** Let what was accepted end, then stop. */
  close(): Promise<void>;
}
