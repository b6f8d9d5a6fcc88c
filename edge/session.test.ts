import { expect, it } from "vitest";
import { readModelConfig } from "./read-model-config.ts";
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
    /warmUp has "y" of shape \[1\]; the model takes x \[-1,3,-1,-1\]/,
  );
});
