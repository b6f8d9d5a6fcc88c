/** Finds a model's handler: a built-in one by its name, or a module beside the model. */
import { existsSync } from "node:fs";
import { extname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Handler, HandlerModel, Predict } from "./handler.ts";
import { handlerTools } from "./handler-tools.ts";

type MakeHandler = (model: HandlerModel, run: Predict) => Handler | Promise<Handler>;

/** Imported when they are needed, because most models need none of them. */
const builtIn: Readonly<Record<string, () => Promise<MakeHandler>>> = {
  "image-classification": async () => (await import("./image-classification.ts")).imageClassification,
  "object-detection": async () => (await import("./object-detection.ts")).objectDetection,
  "text-detection": async () => (await import("./text-detection.ts")).textDetection,
  "text-recognition": async () => (await import("./text-recognition.ts")).textRecognition,
  "picture-steps": async () => (await import("../pipelines/picture-steps.ts")).pictureSteps,
};

const parts = ["load", "preprocess", "predict", "postprocess"] as const;

/**
 * @param source name of a built-in handler, or path of a module
 * @param run runs the ONNX file, for a look at what it gives
 * @throws Error when there is none, the module exports no part of a handler, it fails to load, or the model does not fit it
 */
export async function openHandler(source: string, model: HandlerModel, run: Predict): Promise<Handler> {
  const make = Object.hasOwn(builtIn, source) ? await builtIn[source]?.() : undefined;
  if (make !== undefined) return await make(model, run);
  if (extname(source) === ".ts" && !canRunTypeScript()) {
    throw new Error(`${source}: this Node runs no TypeScript; use 22.18 or later, or handler.js`);
  }
  const module = (await import(pathToFileURL(source).href)) as Handler;
  for (const part of parts) {
    if (module[part] !== undefined && typeof module[part] !== "function")
      throw new Error(`${source}: ${part} is a ${typeof module[part]}; allowed: a function`);
  }
  if (parts.every((part) => module[part] === undefined))
    throw new Error(`${source}: exports none of ${parts.join(", ")}`);
  await module.load?.(model, handlerTools);
  return module;
}

function canRunTypeScript(): boolean {
  return "typescript" in process.features && process.features.typescript !== false;
}

/** The handler module of a folder; undefined when it has none. */
export function handlerIn(folder: string): string | undefined {
  const paths = ["handler.js", "handler.mjs", "handler.ts"].map((name) => join(folder, name));
  return paths.find((path) => existsSync(path));
}
