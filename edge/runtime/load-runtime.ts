/** Loads ONNX Runtime into this process, once: the one of onnxruntime-node, or the build that a model's settings name. */
import { readFileSync, realpathSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { join } from "node:path";
import { loadPackage } from "../../base/optional-package.ts";
import { bindingName, checkRuntimeLibrary, packagedFolder, type RuntimeLibrary } from "./runtime-library.ts";

// The prebuilt library reports its use to its maker, and keeps files for that, unless this is set before the first session.
process.env["ORT_DISABLE_TELEMETRY"] ??= "1";

// Where Node has Float16Array (24 and later), ONNX Runtime makes one of every float16, which its native part takes for
// empty. Without it the bits go through as they are. Nothing else in a replica needs it.
Reflect.deleteProperty(globalThis, "Float16Array");

export interface LoadedRuntime {
  readonly api: typeof import("onnxruntime-node");
  /** The build that `runtimeLibrary` named; undefined for the package's own. */
  readonly library: RuntimeLibrary | undefined;
}

let loaded: (LoadedRuntime & { readonly folder: string | undefined }) | undefined;

/**
 * @param folder a model's `runtimeLibrary`; this process must have been started with it in its library path
 * @throws Error when the library cannot be loaded, or another one is in this process already
 */
export function loadOnnxRuntime(folder?: string): LoadedRuntime {
  if (loaded !== undefined && loaded.folder !== folder && folder !== undefined) throw wrongProcess(folder);
  if (loaded !== undefined) return loaded;
  const library = folder === undefined ? undefined : checkRuntimeLibrary(folder);
  if (library !== undefined) putBinding(library.binding, folder as string);
  const api = loadPackage("onnxruntime-node", "a model in ONNX");
  if (library !== undefined && !isMapped(library.library)) throw wrongProcess(folder as string);
  const made = { api, library, folder };
  loaded = made;
  return made;
}

/** Makes the package's own modules find another binding where they look for theirs. */
function putBinding(path: string, folder: string): void {
  const place = join(realpathSync(packagedFolder()), bindingName);
  const binding = new Module(place);
  try {
    process.dlopen(binding, path);
  } catch (error) {
    throw new Error(`runtimeLibrary is "${folder}"; it cannot be loaded: ${(error as Error).message}`, {
      cause: error,
    });
  }
  createRequire(import.meta.url).cache[place] = binding;
}

/** Whether the library of that path is in the memory of this process, as the system says. */
function isMapped(library: string): boolean {
  return readFileSync("/proc/self/maps", "utf8")
    .split("\n")
    .some((line) => line.endsWith(` ${library}`));
}

function wrongProcess(folder: string): Error {
  return new Error(
    `runtimeLibrary is "${folder}", but this process has another build of ONNX Runtime; ` +
      "allowed: a model of an edge, whose replicas are started with it",
  );
}
