import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readModelConfig } from "./model-config.ts";
import type { ModelFile } from "./model-runner.ts";
import { embeddedModels } from "./repository.ts";
import { openSession } from "./session.ts";

const withConfig = (config: object): ModelFile => {
  return { ...(embeddedModels()[0] as ModelFile), config: readModelConfig(config, "config.yaml") };
};

it("says which execution provider is not there", async () => {
  const opened = openSession(withConfig({ executionProviders: ["coreml"] }), 1);
  await expect(opened).rejects.toThrow(/^execution provider coreml: .*"providerFallback: true"/);
});

it("falls back to those that are there when that is asked for, and reports it", async () => {
  const { metadata } = await openSession(
    withConfig({ executionProviders: ["coreml"], providerFallback: true }),
    1,
  );
  expect(metadata.parameters).toEqual({
    execution_providers: "cpu",
    execution_providers_missing: expect.stringMatching(/^execution provider coreml: /),
  });
});

it("warms up with the shapes that the settings name, and refuses others", async () => {
  await openSession(withConfig({ warmUp: [{ x: [1, 3, 48, 64] }, { x: [2, 3, 48, 64] }] }), 1);
  await expect(openSession(withConfig({ warmUp: [{ y: [1] }] }), 1)).rejects.toThrow(
    /warmUp has "y" of shape \[1\]; allowed: x \[-1,3,-1,-1\]/,
  );
});

it("refuses another library in a process that has one already, as that of a function does", async () => {
  await openSession(withConfig({}), 1);
  await expect(openSession(withConfig({ runtimeLibrary: "/opt/ort" }), 1)).rejects.toThrow(
    'runtimeLibrary is "/opt/ort", but this process has another build of ONNX Runtime; allowed: a model of an edge',
  );
});

it("leaves nothing of ONNX Runtime's telemetry behind", () => {
  const folder = mkdtempSync(join(tmpdir(), "spillway-telemetry-"));
  const dist = (path: string): string => JSON.stringify(new URL(`../../dist/${path}`, import.meta.url).href);
  const script = `
    import { embeddedModels } from ${dist("edge/models/repository.js")};
    import { openSession } from ${dist("edge/models/session.js")};
    await openSession(embeddedModels()[0], 1);`;
  const { ORT_DISABLE_TELEMETRY: _, ...env } = process.env;
  const flags = ["--input-type=module", "-e", script];
  execFileSync(process.execPath, flags, { env: { ...env, TMPDIR: folder, HOME: folder } });
  expect(readdirSync(folder)).toEqual([]);
});
