import { expect, it } from "vitest";
import { readModelConfig } from "./model-config.ts";

const place = "models/m/config.yaml";

it("takes an empty document for the defaults", () => {
  expect(readModelConfig(null, place)).toEqual({
    executionProviders: ["cpu"],
    providerFallback: false,
    warmUp: [],
    default: false,
    disabled: false,
    settings: {},
  });
});

it.each([
  [{ replicsa: 2 }, `${place}: unknown key "replicsa"; did you mean "replicas"?`],
  [{ replicas: 0 }, `${place}: replicas is 0; allowed: 1 or more`],
  [{ replicas: 65 }, `${place}: replicas is 65; allowed: at most 64`],
  [{ threads: "two" }, `${place}: threads is "two"; allowed: number`],
  [{ executionProviders: ["gpu"] }, `${place}: executionProviders.0 is "gpu"; allowed: cpu, cuda, tensorrt`],
  [{ warmUp: [{ x: [1, -3] }] }, `${place}: warmUp.0.x.1 is -3; allowed: 1 or more`],
  [{ cpuAffinity: "all" }, `${place}: cpuAffinity is "all"; allowed: cores such as 0,2-3`],
  [{ env: ["A=1"] }, `${place}: env is ["A=1"]; allowed:`],
  ["replicas", `${place} is "replicas"; allowed: object`],
])("refuses %j, naming the place, the value and what is allowed", (document, message) => {
  expect(() => readModelConfig(document, place)).toThrow(message);
});

it("names every fault, each on a line", () => {
  expect(() => readModelConfig({ replicas: 0, thread: 1 }, place)).toThrow(
    /replicas is 0.*\n.*unknown key "thread"/,
  );
});
