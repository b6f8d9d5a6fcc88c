/**
 * What the edge app asks of a model: to run a request. A pool of replica processes and a session in this
 * process both are one, so the same app serves at the edge and inside a function.
 */
import type { InferRequest, ModelMetadata } from "../../protocol/message.ts";
import type { Tensor } from "../../protocol/tensor.ts";
import type { ModelConfig } from "./model-config.ts";
import type { ModelStatus } from "./model-status.ts";

/** A model file in a repository. */
export interface ModelFile {
  readonly name: string;
  readonly version: string;
  /** Path of the ONNX file; of the handler module or the `config.yaml` where a model is without one. */
  readonly path: string;
  /** What stands before the ONNX file: the name of a built-in handler, or the path of a module. */
  readonly handler?: string;
  /** Shapes of one row that suit the model, by input, where the model leaves dimensions open. */
  readonly exampleShapes?: Readonly<Record<string, readonly number[]>>;
  /** What its `config.yaml` says; absent for the defaults. */
  readonly config?: ModelConfig;
}

/** Outputs of one run, with the time that the model itself took. */
export interface InferenceResult {
  readonly outputs: readonly Tensor[];
  readonly serviceMs: number;
  /** Where requests of the batch failed apart from the others: for each request its fault. `outputs` are the others'. */
  readonly faults?: readonly (RequestFault | undefined)[];
}

/** Why a request failed, as it can be sent between processes. */
export interface RequestFault {
  readonly message: string;
  readonly status: number;
}

/** How long a request is worth running. */
export interface RunLimits {
  /** Moment, as `performance.now()` counts, by which it must be answered; absent for none. */
  readonly deadlineAtMs?: number;
  /** Aborted when the caller hangs up. */
  readonly hungUp?: AbortSignal;
}

/** A request's own outputs; `serviceMs` is of the batch in which it ran. */
export interface RequestResult extends InferenceResult {
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
   * Asked before a body of so many bytes is read.
   *
   * @throws ProtocolError when `run` would only reject it, because there is no room or nothing to run it
   */
  checkRoom(bytes: number): void;
  /**
   * Run a request. Rejects with a ProtocolError: 400 when the inputs do not fit the model, 503 when it cannot
   * run now and another try may help, 504 when its deadline has passed, 499 when the caller has gone, 500 when the
   * model failed.
   */
  run(request: InferRequest, limits?: RunLimits): Promise<RequestResult>;
  status(): ModelStatus;
  /** Let what was accepted end, then stop. */
  close(): Promise<void>;
}
