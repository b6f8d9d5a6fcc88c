/**
 * Opens a model on the execution providers that its settings name. Apart, because which are there shows only when
 * a session is made, and what then happens is for the settings to say.
 */
import type * as ort from "onnxruntime-node";
import { loadPackage } from "../../base/optional-package.ts";
import type { ModelFile } from "./model-runner.ts";

// The prebuilt library reports its use to its maker, and keeps files for that, unless it is told not to before its first
// session is made.
process.env["ORT_DISABLE_TELEMETRY"] ??= "1";

export const onnxRuntime = loadPackage("onnxruntime-node", "a model in ONNX");

export interface OpenedSession {
  readonly session: ort.InferenceSession;
  /** Providers it runs on, the preferred first. */
  readonly providers: readonly string[];
  /** Providers that were asked for and left out, each with the reason. */
  readonly missing: readonly string[];
}

/**
 * @param threads threads of one operator, an integer from 1
 * @throws Error when the file is missing or is no ONNX model, or a provider is not there and no fall-back is asked for
 */
export async function openOnProviders(model: ModelFile, threads: number): Promise<OpenedSession> {
  const wanted = model.config?.executionProviders ?? ["cpu"];
  const missing: string[] = [];
  for (const [index, provider] of wanted.entries()) {
    const providers = wanted.slice(index);
    try {
      return { session: await create(model.path, providers, threads), providers, missing };
    } catch (error) {
      if (provider === "cpu") throw error;
      const reason = `execution provider ${provider}: ${(error as Error).message.trim()}`;
      if (model.config?.providerFallback !== true) {
        throw new Error(`${reason}; with "providerFallback: true" the model would run without it`, {
          cause: error,
        });
      }
      missing.push(reason);
    }
  }
  return { session: await create(model.path, ["cpu"], threads), providers: ["cpu"], missing };
}

function create(path: string, executionProviders: string[], threads: number): Promise<ort.InferenceSession> {
  return onnxRuntime.InferenceSession.create(path, {
    executionProviders,
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // 3 = errors only: warnings about a graph that works are no news.
    logSeverityLevel: 3,
  });
}
