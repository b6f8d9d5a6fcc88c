import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { embeddedRepository, findModels, modelsAtStart, surveyModels } from "./repository.ts";

function repository(...files: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "spillway-models-"));
  for (const file of files) {
    mkdirSync(join(folder, file, ".."), { recursive: true });
    writeFileSync(join(folder, file), "");
  }
  return folder;
}

it("takes the highest version of each model, by number", () => {
  const folder = repository(
    "a/9/model.onnx",
    "a/10/model.onnx",
    "a/x/model.onnx",
    "b/1/model.onnx",
    ".git/1/model.onnx",
  );
  expect(findModels(folder)).toEqual([
    { name: "a", version: "10", path: join(folder, "a/10/model.onnx") },
    { name: "b", version: "1", path: join(folder, "b/1/model.onnx") },
  ]);
});

it("names the folder that is missing, empty or without a version", () => {
  expect(() => findModels("/no/such/folder")).toThrow("/no/such/folder: no such folder");
  expect(() => findModels(repository())).toThrow(/holds no model/);
  expect(() => surveyModels(repository("notes.txt"))).toThrow(/holds no model/);
  expect(surveyModels(repository()).models).toEqual([]);
  expect(() => findModels(repository("m/model.onnx"))).toThrow(/m: no VERSION\/model\.onnx/);
});

const withConfig = (config: string, ...files: string[]): string => {
  const folder = repository("m/1/model.onnx", ...files);
  writeFileSync(join(folder, "m", "config.yaml"), config);
  return folder;
};

it("reads the settings beside a model, with labels from their file", () => {
  const folder = withConfig("replicas: 2\nlabels: names.txt\n");
  writeFileSync(join(folder, "m", "names.txt"), "cat\ndog\n");
  expect(findModels(folder)[0]?.config).toMatchObject({ replicas: 2, labels: ["cat", "dog"] });
});

it("takes the settings that came with an installed version before those of the model", () => {
  const folder = withConfig("replicas: 2\n", "m/2/model.onnx");
  writeFileSync(join(folder, "m", "2", "config.yaml"), "replicas: 3\n");
  expect(findModels(folder)[0]).toMatchObject({ version: "2", config: { replicas: 3 } });
});

it("serves the files of a base under another name, and leaves out what is disabled", () => {
  const folder = withConfig("disabled: true\n");
  mkdirSync(join(folder, "second"));
  writeFileSync(join(folder, "second", "config.yaml"), "base: m\nthreads: 2\n");
  expect(findModels(folder)).toMatchObject([
    { name: "second", version: "1", path: join(folder, "m/1/model.onnx"), config: { threads: 2 } },
  ]);
});

it.each([
  ["base: gone\n", /config\.yaml: base is "gone"; allowed: another model/],
  ["base: m\n", /base is "m"/],
  ["labels: gone.txt\n", /labels is "gone.txt", which cannot be read/],
  ["replicas: [\n", /config\.yaml: /],
  ["replica: 1\n", /unknown key "replica"; did you mean "replicas"/],
])("refuses the settings %j with the path of their file", (config, message) => {
  expect(() => findModels(withConfig(config))).toThrow(message);
});

it("finds the models beside those that cannot be read", () => {
  const folder = withConfig("replica: 1\n", "good/1/model.onnx", "empty/readme.txt");
  const { models, faults } = surveyModels(folder);
  expect(models.map(({ name }) => name)).toEqual(["good"]);
  expect([...faults]).toEqual([
    ["empty", expect.stringMatching(/empty: no VERSION\/model\.onnx/)],
    ["m", expect.stringMatching(/config\.yaml: unknown key "replica"/)],
  ]);
  expect([...modelsAtStart({ models, faults }, "good").faults]).toEqual([]);
  expect([...modelsAtStart({ models, faults }, "good,m").faults.keys()]).toEqual(["m"]);
});

it("refuses two default models", () => {
  const folder = withConfig("default: true\n", "n/1/model.onnx");
  writeFileSync(join(folder, "n", "config.yaml"), "default: true\n");
  expect(() => findModels(folder)).toThrow(/m and n say "default: true"; allowed: one/);
});

const embedded = embeddedRepository();
const all = {
  models: embedded.names().map((name) => embedded.read(name)),
  faults: new Map<string, string>(),
};
const chosen = (names?: string): string[] => modelsAtStart(all, names).models.map(({ name }) => name);

it("loads all models where none are named, else those named and the stages of their pipelines", () => {
  expect(chosen()).toEqual(embedded.names());
  expect(chosen("ocr-rec, ocr-cls")).toEqual(["ocr-cls", "ocr-rec"]);
  expect(chosen("ocr")).toEqual(["ocr-det", "ocr-orient", "ocr-read", "ocr"]);
});

it("names the models there are when one is not among them", () => {
  expect(() => chosen("ocr-cls,cat")).toThrow(
    '--load names "cat"; allowed: ocr-cls, ocr-rec, ocr-det, ocr-orient, ocr-read, ocr',
  );
});
