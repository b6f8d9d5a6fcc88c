/** Finds a model's handler: built in under a name, or a module beside the model. */
import { existsSync } from "node:fs";
import { extname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Handler } from "./handler.ts";

/** What is built in, loaded when it is asked for: most models need none of it. */
const builtIn = {
  "image-classification": async () => (await import("./image-classification.ts")).imageClassification(),
  "object-detection": async () => (await import("./object-detection.ts")).objectDetection(),
  "text-detection": async () => (await import("./text-detection.ts")).textDetection(),
  "text-recognition": async () => (await import("./text-recognition.ts")).textRecognition(),
  "picture-steps": async () => (await import("../pipelines/picture-steps.ts")).pictureSteps(),
} satisfies Record<string, () => Promise<Handler>>;

const parts = ["load", "preprocess", "predict", "postprocess"] as const;

/**
 * @param source name of a built-in handler, or path of a module
 * @throws Error when there is none, or the module exports no part of a handler
 */
export async function openHandler(source: string): Promise<Handler> {
  if (isBuiltIn(source)) return builtIn[source]();
  if (extname(source) === ".ts" && !canRunTypeScript()) {
    throw new Error(
      `${source}: Node ${process.versions.node} runs no TypeScript; use 22.18 or later, or build it to handler.js`,
    );
  }
  const module = (await import(pathToFileURL(source).href)) as Handler;
  for (const part of parts) {
    if (module[part] !== undefined && typeof module[part] !== "function")
      throw new Error(`${source}: ${part} is a ${typeof module[part]}; allowed: a function`);
  }
  if (parts.every((part) => module[part] === undefined))
    throw new Error(`${source}: exports none of ${parts.join(", ")}`);
  return module;
}

function isBuiltIn(source: string): source is keyof typeof builtIn {
  return Object.hasOwn(builtIn, source);
}

function canRunTypeScript(): boolean {
  return "typescript" in process.features && process.features.typescript !== false;
}

/** The handler module of a folder; undefined when it has none. */
export function handlerIn(folder: string): string | undefined {
  return ["handler.js", "handler.mjs", "handler.ts"]
    .map((name) => join(folder, name))
    .find((path) => existsSync(path));
}
