import { expect, it } from "vitest";
import { modelsAtStart } from "./models-at-start.ts";
import { embeddedRepository } from "./repository.ts";

const repository = embeddedRepository();
const all = repository.names().map((name) => repository.read(name));
const chosen = (names?: string): string[] => modelsAtStart(all, names).map(({ name }) => name);

it("loads all models where none are named, else those named and the stages of their pipelines", () => {
  expect(chosen()).toEqual(repository.names());
  expect(chosen("ocr-rec, ocr-cls")).toEqual(["ocr-cls", "ocr-rec"]);
  expect(chosen("ocr")).toEqual(["ocr-det", "ocr-orient", "ocr-read", "ocr"]);
});

it("names the models there are when one is not among them", () => {
  expect(() => chosen("ocr-cls,cat")).toThrow(
    '--load names "cat"; allowed: ocr-cls, ocr-rec, ocr-det, ocr-orient, ocr-read, ocr',
  );
});
