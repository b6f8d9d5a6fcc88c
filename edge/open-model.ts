/**
 * Opens whatever a model is made of: an ONNX file, or a JavaScript module (`.js`, `.mjs`) that exports `inputs` and
 * `outputs` as a model's metadata lists them, and `predict`. Modules are internal: they are how the server itself
 * is tested and measured.
 */
import { extname } from "node:path";
import { pathToFileURL } from "node:url";
import { ProtocolError } from "../protocol/errors.ts";
import type { TensorMetadata } from "../protocol/message.ts";
import type { Tensor } from "../protocol/tensor.ts";
import type { ModelFile } from "./model-runner.ts";
import { openSession, type Session } from "./session.ts";

interface ModelModule {
  readonly inputs: TensorMetadata[];
  readonly outputs: TensorMetadata[];
  /** May throw; that fails the batch. */
  predict(inputs: readonly Tensor[]): readonly Tensor[] | Promise<readonly Tensor[]>;
}

/**
 * @param threads threads of one operator, an integer from 1
 * @throws Error when the file is missing or is no model
 */
export async function openModel(model: ModelFile, threads: number): Promise<Session> {
  if (![".js", ".mjs"].includes(extname(model.path))) return openSession(model, threads);
  const module = (await import(pathToFileURL(model.path).href)) as ModelModule;
  const { inputs, outputs } = module;
  return {
    metadata: { name: model.name, versions: [model.version], platform: "javascript", inputs, outputs },
    run: async (tensors) => {
      const startedAtMs = performance.now();
      try {
        const answers = await module.predict(tensors);
        return { outputs: answers, serviceMs: performance.now() - startedAtMs };
      } catch (error) {
        throw new ProtocolError(`model ${model.name} failed: ${(error as Error).message}`, 500);
      }
    },
  };
}
