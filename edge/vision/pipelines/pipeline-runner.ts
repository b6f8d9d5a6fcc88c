/** A pipeline as a model: each row of a request goes through its stages, which are other models and steps. */
import { OverloadedError, ProtocolError, UnavailableError } from "../../../protocol/errors.ts";
import type { InferRequest, ModelMetadata, TensorMetadata } from "../../../protocol/message.ts";
import { cutRows, joinRows, rowsOf } from "../../../protocol/stack.ts";
import { type Tensor, tensorFromStrings } from "../../../protocol/tensor.ts";
import type { PublishedJoining } from "../../joining/published-joining.ts";
import type { ModelConfig } from "../../models/model-config.ts";
import {
  checkInputs,
  type ModelFile,
  type ModelRunner,
  type ModelStatus,
  type RequestResult,
  type RunLimits,
} from "../../models/model-runner.ts";
import { jsonOf } from "../../../protocol/server/json-of.ts";
import { pictureInput } from "../pictures/picture-tensor.ts";
import type { Columns, ModelStage, PipelineConfig, StepStage } from "./pipeline-config.ts";
import { inputsOf, pick, renamed, runStages, type Value, type Values } from "./run-stages.ts";

export interface PipelineOptions {
  readonly model: ModelFile;
  readonly pipeline: PipelineConfig;
  /** The model that serves under a name now. */
  readonly find: (name: string) => ModelRunner | undefined;
  /** The replicas that run steps; absent when no stage is one. */
  readonly steps?: ModelRunner;
}

/** What the first stage of a request told: how long it waited, and where it ran. */
interface Start {
  queuedMs: number;
  replica: number;
}

/** A pipeline with the replicas of its steps, which `openPool` begins to load; undefined for other models. */
export function openPipeline(
  model: ModelFile,
  openPool: (model: ModelFile) => ModelRunner,
  find: PipelineOptions["find"],
): PipelineRunner | undefined {
  const { pipeline, ...config } = model.config ?? {};
  if (pipeline === undefined) return undefined;
  const options = { model, pipeline, find };
  if (!pipeline.stages.some((stage) => "step" in stage)) return new PipelineRunner(options);
  // A step treats each picture by itself.
  const ofSteps = { ...config, joinRows: true } as ModelConfig;
  const steps = openPool({ ...model, handler: "picture-steps", config: ofSteps });
  return new PipelineRunner({ ...options, steps });
}

export class PipelineRunner implements ModelRunner {
  readonly model: ModelFile;
  readonly #options: PipelineOptions;
  readonly #names: readonly string[];
  readonly #hasSpread: boolean;
  readonly #open = new Set<Promise<unknown>>();
  #isClosing = false;

  constructor(options: PipelineOptions) {
    const { stages } = options.pipeline;
    this.model = options.model;
    this.#options = options;
    this.#names = stages.flatMap((stage) => ("model" in stage ? [stage.model] : []));
    this.#hasSpread = stages.some((stage) => "spread" in stage);
  }

  get replicas(): number {
    return Math.min(...this.#stages().map((runner) => runner?.replicas ?? 0));
  }

  get isReady(): boolean {
    return !this.#isClosing && this.#stages().every((runner) => runner?.isReady === true);
  }

  get metadata(): ModelMetadata | undefined {
    const outputs = this.#outputs();
    if (outputs === undefined) return undefined;
    const { name, version } = this.model;
    return { name, versions: [version], platform: "pipeline", inputs: this.#inputs(), outputs };
  }

  /** Each row goes through the stages by itself. */
  get joining(): PublishedJoining {
    return { join_rows: true };
  }

  async ready(): Promise<void> {
    for (const name of this.#names) {
      const runner = this.#options.find(name);
      if (runner === undefined) throw new Error(notServed(name));
      if (runner.model.config?.pipeline !== undefined)
        throw new Error(`its stages need a model "${name}", which is a pipeline; allowed: other models`);
      await runner.ready();
    }
    await this.#options.steps?.ready();
  }

  checkRoom(bytes: number): void {
    const missing = this.#names.find((name) => this.#options.find(name) === undefined);
    if (missing !== undefined) throw new UnavailableError(notServed(missing));
    if (this.#isClosing) throw new UnavailableError("the server is shutting down");
    this.#stages()[0]?.checkRoom(bytes);
  }

  run(request: InferRequest, limits: RunLimits = {}): Promise<RequestResult> {
    const running = this.#run(request, limits);
    this.#open.add(running);
    return running.finally(() => this.#open.delete(running));
  }

  status(): ModelStatus {
    const steps = this.#options.steps?.status();
    const state = this.#isClosing ? "stopping" : this.isReady ? "ready" : "loading";
    return {
      name: this.model.name,
      version: this.model.version,
      state,
      queueRows: steps?.queueRows ?? 0,
      queueBytes: steps?.queueBytes ?? 0,
      openRequests: this.#open.size,
      replicas: steps?.replicas ?? [],
      lastError: steps?.lastError,
      events: steps?.events ?? [],
    };
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.allSettled(this.#open);
    await this.#options.steps?.close();
  }

  /** The models of the stages, and last the replicas of the steps. */
  #stages(): (ModelRunner | undefined)[] {
    const { find, steps } = this.#options;
    return [...this.#names.map(find), ...(steps === undefined ? [] : [steps])];
  }

  #inputs(): TensorMetadata[] {
    const { inputs } = this.#options.pipeline;
    if (inputs === undefined) return [pictureInput];
    return Object.entries(inputs).map(([name, { datatype, shape }]) => ({ name, datatype, shape }));
  }

  /** Undefined while a stage's model is not known. */
  #outputs(): TensorMetadata[] | undefined {
    const { list, outputs } = this.#options.pipeline;
    if (this.#stages().some((runner) => runner?.metadata === undefined)) return undefined;
    if (this.#hasSpread)
      return [{ name: list, datatype: "BYTES", shape: [-1], parameters: { content: "json" } }];
    return Object.entries(outputs).map(([name, columns]) => this.#output(name, columns));
  }

  /** As the model of its stage describes it; steps give bytes. */
  #output(name: string, columns: Columns): TensorMetadata {
    const { pipeline, find } = this.#options;
    const [from, output] = ([columns].flat()[0] as string).split(".");
    const stage = pipeline.stages.find((each) => each.name === from);
    const known =
      stage !== undefined && "model" in stage ? find(stage.model)?.metadata?.outputs : this.#inputs();
    const described = known?.find((each) => each.name === (output ?? from));
    return described === undefined ? { name, datatype: "BYTES", shape: [-1] } : { ...described, name };
  }

  async #run(request: InferRequest, limits: RunLimits): Promise<RequestResult> {
    this.checkRoom(0);
    const { metadata } = this;
    if (metadata === undefined) throw new UnavailableError(`a stage of ${this.model.name} is not loaded yet`);
    checkInputs(metadata, request.inputs);
    const startedAtMs = performance.now();
    const start: Start = { queuedMs: Infinity, replica: 0 };
    const rows = cutRows(request.inputs, Array<number>(rowsOf(request)).fill(1));
    const answers = await Promise.all(rows.map((row) => this.#runRow(row, limits, start)));
    const queuedMs = Math.min(start.queuedMs, performance.now() - startedAtMs);
    const serviceMs = performance.now() - startedAtMs - queuedMs;
    return { outputs: joinRows(answers), serviceMs, queuedMs, replica: start.replica };
  }

  async #runRow(inputs: readonly Tensor[], limits: RunLimits, start: Start): Promise<Tensor[]> {
    const { stages, outputs, list } = this.#options.pipeline;
    const row: Values = new Map(inputs.map((tensor) => [tensor.name, { tensor }]));
    const ends = await runStages(stages, row, (stage, values) => this.#call(stage, values, limits, start));
    const picked = ends.map((values) =>
      Object.entries(outputs).map(([name, columns]) => [name, pick(columns, values)] as const),
    );
    if (!this.#hasSpread) return (picked[0] ?? []).map(([name, { tensor }]) => renamed(tensor, name));
    const records = picked.map((each) =>
      Object.fromEntries(each.map(([name, value]) => [name, jsonOf(value)])),
    );
    return [tensorFromStrings(list, [1], [JSON.stringify(records)])];
  }

  async #call(
    stage: ModelStage | StepStage,
    values: Values,
    limits: RunLimits,
    start: Start,
  ): Promise<Values> {
    const { find, steps } = this.#options;
    const runner = "model" in stage ? find(stage.model) : steps;
    if (runner === undefined) throw new UnavailableError(`stage ${stage.name}: its model is not served now`);
    try {
      const result = await runner.run({ parameters: {}, inputs: inputsOf(stage, values) }, limits);
      // The request itself has waited until its first stage began.
      if (start.queuedMs === Infinity)
        Object.assign(start, { queuedMs: result.queuedMs, replica: result.replica });
      return new Map(result.outputs.map((tensor) => [tensor.name, valueOf(tensor, stage, runner)]));
    } catch (error) {
      throw withStage(stage.name, error as Error);
    }
  }
}

function notServed(name: string): string {
  return `its stages need a model "${name}", which is not served`;
}

function valueOf(tensor: Tensor, stage: ModelStage | StepStage, { metadata }: ModelRunner): Value {
  if ("step" in stage) return { tensor, ...(stage.step === "crop" && { content: "list" }) };
  const declared = metadata?.outputs.find(({ name }) => name === tensor.name)?.parameters;
  const content = tensor.parameters?.["content"] ?? declared?.["content"];
  return { tensor, ...(typeof content === "string" && { content }) };
}

/** The same error, with the stage in its message. */
function withStage(stage: string, error: Error): ProtocolError {
  const { status = 500, retryAfterS } = error as { status?: number; retryAfterS?: number };
  const message = `stage ${stage}: ${error.message}`;
  if (error instanceof OverloadedError) return new OverloadedError(message, error.retryAfterS * 1_000);
  if (retryAfterS !== undefined) return new UnavailableError(message, retryAfterS * 1_000);
  return new ProtocolError(message, status);
}
