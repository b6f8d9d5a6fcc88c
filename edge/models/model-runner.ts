/** What the edge app asks of a model: to run requests and to tell its status. */
import { showValue } from "../../base/error-text.ts";
import type { Abortable } from "../../base/program/hang-up.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { InferRequest, ModelMetadata } from "../../protocol/message.ts";
import { shapeText, type Tensor } from "../../protocol/tensor.ts";
import type { JoiningStatus } from "../joining/joining.ts";
import type { PublishedJoining } from "../joining/published-joining.ts";
import type { ModelEvent } from "../observe/events.ts";
import type { DropCounts } from "../replicas/drop-log.ts";
import type { ModelConfig } from "./model-config.ts";

/** A model of a repository, in the version that is to be served. */
export interface ModelFile {
  readonly name: string;
  readonly version: string;
  /** Path of the ONNX file, or of the handler module or `config.yaml` of a model without one. */
  readonly path: string;
  /** The name of a built-in handler, or the path of a handler module. */
  readonly handler?: string | undefined;
  /** By input: a shape of one row that suits the model where it leaves dimensions open. */
  readonly exampleShapes?: Readonly<Record<string, readonly number[]>>;
  /** Its `config.yaml`; absent for the defaults. */
  readonly config?: ModelConfig | undefined;
}

/** What a run gave. */
export interface InferenceResult {
  readonly outputs: readonly Tensor[];
  /** Time that the model itself took. */
  readonly serviceMs: number;
  /** When requests of a batch failed on their own: the fault of each request. `outputs` are those of the others. */
  readonly faults?: readonly (RequestFault | undefined)[];
}

/** Why a request failed, in a form that can be sent between processes. */
export interface RequestFault {
  readonly message: string;
  readonly status: number;
}

/** How long a request is worth running. */
export interface RunLimits {
  /** Moment, as `performance.now()` counts, by which it must be answered. Default: none. */
  readonly deadlineAtMs?: number;
  /** Aborted when the caller hangs up. */
  readonly hungUp?: Abortable;
}

/** A request's own outputs; `serviceMs` is the time of the batch in which it ran. */
export interface RequestResult extends InferenceResult {
  /** Time from the call until the model began. */
  readonly queuedMs: number;
  /** Which replica ran it, from 0. */
  readonly replica: number;
  /** Whether requests of its shape may share runs; undefined where that is not proved by shape. */
  readonly joins?: boolean | undefined;
}

export interface ModelRunner {
  readonly model: ModelFile;
  /** How many batches run at once. */
  readonly replicas: number;
  /** True when a run would start or wait, not fail. */
  readonly isReady: boolean;
  /** Names, types and shapes; undefined until the model was loaded once. */
  readonly metadata: ModelMetadata | undefined;
  /** Whether it is loaded by its first request and not before. */
  readonly isOnDemand?: boolean;
  /** Whether requests may share runs, for clients that join them; undefined until that is known. */
  readonly joining?: PublishedJoining | undefined;
  /** Resolves when the model can run for the first time; rejects when it cannot be loaded. */
  ready(): Promise<void>;
  /** Called before a body is read. Throws a ProtocolError when `run` would: the queue is full or too long, or nothing runs. */
  checkRoom(bytes: number): void;
  /**
   * Run a request. Rejects with a ProtocolError: 400 when the inputs do not fit the model, 503 when it cannot run now or
   * not in time but perhaps later, 504 when its deadline has passed, 499 when the caller has gone, 500 when the model failed.
   */
  run(request: InferRequest, limits?: RunLimits): Promise<RequestResult>;
  status(): ModelStatus;
  /** Finish what was accepted, then stop. */
  close(): Promise<void>;
}

export type ReplicaState =
  /** Its process loads the model. */
  | "starting"
  | "up"
  /** It ended and is started again after a pause. */
  | "restarting"
  /** It ended too often, so it is started only now and then, on trial. */
  | "unhealthy"
  /** The model cannot be loaded, and trying again would not help. */
  | "failed";

export interface ReplicaStatus {
  /** Counts from 0. */
  readonly index: number;
  readonly state: ReplicaState;
  /** Undefined when it has no process. */
  readonly pid?: number | undefined;
  /** How often it was started again. */
  readonly restarts: number;
  /** The batch that it runs now. */
  readonly batch?:
    | { readonly rows: number; readonly requests: number; readonly runningMs: number }
    | undefined;
  /** Why it last ended or failed to start. */
  readonly lastError?: string | undefined;
}

export interface ModelStatus {
  readonly name: string;
  readonly version: string;
  /**
   * `loading`: none was up yet. `down`: none is up now. `unhealthy`: all ended too often. `failed`: it cannot be loaded and
   * is not tried again. `stopping`: ends soon.
   */
  readonly state: "loading" | "ready" | "down" | "unhealthy" | "failed" | "stopping";
  /** Rows that wait for their first run. */
  readonly queueRows: number;
  readonly queueBytes: number;
  /** Requests that wait or run. */
  readonly openRequests: number;
  readonly replicas: readonly ReplicaStatus[];
  /** Where models share a budget of memory: what it takes, or would take. */
  readonly memory?: { readonly isLoaded: boolean; readonly bytes: number };
  readonly lastError?: string | undefined;
  /** Requests that were dropped in overload since it was loaded, by why. Absent where nothing is queued. */
  readonly dropped?: DropCounts | undefined;
  /** Whether its requests share runs, how that is known, and what it costs to know it. Absent until it is loaded. */
  readonly joining?: JoiningStatus | undefined;
  /** Newest first, a bounded number. */
  readonly events: readonly ModelEvent[];
}

/**
 * Throws a ProtocolError when an input is missing, unknown, or of another type or shape than the model's.
 *
 * @param hasAnyRows whether the first dimension may differ from the model's
 */
export function checkInputs(metadata: ModelMetadata, inputs: readonly Tensor[], hasAnyRows = false): void {
  for (const { name } of inputs) {
    if (metadata.inputs.some((wanted) => wanted.name === name)) continue;
    const known = metadata.inputs.map((wanted) => wanted.name).join(", ");
    throw new ProtocolError(`model ${metadata.name} has no input ${showValue(name)}; allowed: ${known}`);
  }
  for (const { name, datatype, shape } of metadata.inputs) {
    const input = inputs.find((each) => each.name === name);
    if (input === undefined) throw new ProtocolError(`input "${name}" of model ${metadata.name} is missing`);
    // ONNX Runtime says [] for a scalar as well as for any number of dimensions; the run refuses what does not fit.
    if (input.datatype === datatype && shape.length === 0) continue;
    const isFitting =
      input.datatype === datatype &&
      input.shape.length === shape.length &&
      shape.every((size, axis) => size === -1 || size === input.shape[axis] || (axis === 0 && hasAnyRows));
    if (isFitting) continue;
    throw new ProtocolError(
      `input "${name}" is ${input.datatype}${shapeText(input.shape)}; ` +
        `model ${metadata.name} takes ${datatype}${shapeText(shape)} (-1: any size)`,
    );
  }
}
