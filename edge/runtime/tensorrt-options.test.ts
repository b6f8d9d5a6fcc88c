import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readModelConfig } from "../models/model-config.ts";
import { packagedLibrary } from "./runtime-library.ts";
import { tensorrtProvider } from "./tensorrt-options.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-tensorrt-"));
const passing = join(folder, "passing.node");
writeFileSync(passing, "…trt_engine_cache_enable\0trt_engine_cache_path\0…");
const place = "models/m/config.yaml";
const configOf = (tensorrt: object) =>
  readModelConfig({ executionProviders: ["tensorrt", "cpu"], tensorrt }, place).tensorrt;

it("hands folder, precision and memory to the provider under its own names, and makes the folder", () => {
  const engineCache = join(folder, "engines", "m");
  const config = configOf({ engineCache, fp16: true, workspaceMib: 512 });
  expect(tensorrtProvider(config, () => passing)).toEqual({
    name: "tensorrt",
    trt_engine_cache_enable: "1",
    trt_engine_cache_path: engineCache,
    trt_fp16_enable: "1",
    trt_max_workspace_size: "536870912",
  });
  expect(existsSync(engineCache)).toBe(true);
  expect(tensorrtProvider(configOf({ fp16: false }), () => passing)).toMatchObject({ trt_fp16_enable: "0" });
});

it("asks for the provider by name alone where nothing is set, whatever the binding is", () => {
  const unread = (): string => {
    throw new Error("the binding is not looked at");
  };
  expect(tensorrtProvider(undefined, unread)).toBe("tensorrt");
  expect(tensorrtProvider(configOf({}), unread)).toBe("tensorrt");
});

it("refuses settings that the binding of the package would drop in silence", () => {
  const { binding } = packagedLibrary();
  expect(() => tensorrtProvider(configOf({ fp16: true }), () => binding)).toThrow(
    `tensorrt has settings, but ${binding} passes none on to the provider; allowed: a binding`,
  );
});

it.each([
  [{ workspaceMib: 0 }, "tensorrt.workspaceMib is 0; allowed: 1 or more"],
  [{ fp16: "yes" }, 'tensorrt.fp16 is "yes"; allowed: boolean'],
  [{ engineCache: "engines" }, 'tensorrt.engineCache is "engines"; allowed: an absolute path of a folder'],
])("refuses %j", (tensorrt, message) => {
  expect(() => configOf(tensorrt)).toThrow(`${place}: ${message}`);
});

it("refuses settings of a provider that the model does not use", () => {
  expect(() => readModelConfig({ tensorrt: { fp16: true } }, place)).toThrow(
    `${place}: tensorrt has settings, but executionProviders is ["cpu"]; allowed: a list with tensorrt in it`,
  );
});
