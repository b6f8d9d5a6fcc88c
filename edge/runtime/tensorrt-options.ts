/**
 * Settings of the TensorRT provider, in the form in which ONNX Runtime takes them. The binding of onnxruntime-node gives
 * the provider nothing but a device, and drops the rest in silence; a binding that passes them on knows them by name.
 */
import { mkdirSync, readFileSync } from "node:fs";
import type { TensorrtConfig } from "./tensorrt-config.ts";

const bytesPerMib = 2 ** 20;
const cachePath = "trt_engine_cache_path";

/**
 * @example
 * tensorrtOptions({ fp16: true, workspaceMib: 1 }); // { trt_fp16_enable: "1", trt_max_workspace_size: "1048576" }
 */
export function tensorrtOptions(config: TensorrtConfig): Record<string, string> {
  const { engineCache, fp16, workspaceMib } = config;
  return {
    ...(engineCache !== undefined && { trt_engine_cache_enable: "1", [cachePath]: engineCache }),
    ...(fp16 !== undefined && { trt_fp16_enable: fp16 ? "1" : "0" }),
    ...(workspaceMib !== undefined && { trt_max_workspace_size: String(workspaceMib * bytesPerMib) }),
  };
}

/**
 * The provider's entry in the options of a session.
 *
 * @param binding path of the binding that is to pass the settings on
 * @throws Error when the binding drops them, or the folder for engines cannot be made
 */
export function tensorrtProvider(
  config: TensorrtConfig | undefined,
  binding: () => string,
): "tensorrt" | { readonly name: "tensorrt" } {
  const options = tensorrtOptions(config ?? {});
  if (Object.keys(options).length === 0) return "tensorrt";
  const path = binding();
  if (!readFileSync(path).includes(cachePath))
    throw new Error(
      `tensorrt has settings, but ${path} passes none on to the provider; ` +
        "allowed: a binding in the folder of runtimeLibrary that does (docs/guide/jetson.md says how)",
    );
  if (config?.engineCache !== undefined) mkdirSync(config.engineCache, { recursive: true });
  return { name: "tensorrt", ...options };
}
