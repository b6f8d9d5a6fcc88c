import { expect, it } from "vitest";
import { handlerTools } from "../../edge/vision/handlers/handler-tools.ts";
import { jsonOf } from "./json-of.ts";

const ofText = (text: string, content?: string): unknown =>
  jsonOf({ tensor: handlerTools.textTensor("t", [text]), ...(content !== undefined && { content }) });

it("takes a whole object or list in JSON for what it is, and other texts for texts", () => {
  expect(ofText('{"a": [1]}')).toEqual({ a: [1] });
  expect(ofText(' ["b"] ')).toEqual(["b"]);
  expect(ofText("[1] and more")).toBe("[1] and more");
  expect(ofText("12")).toBe("12");
});

it("follows the word of the output, but never fails an answer that is no JSON", () => {
  expect(ofText("12", "json")).toBe(12);
  expect(ofText("no", "json")).toBe("no");
  expect(ofText('{"a": 1}', "text")).toBe('{"a": 1}');
});

it("gives halves as numbers, and bytes that are no text in base64", () => {
  expect(jsonOf({ tensor: handlerTools.numberTensor("n", "FP16", [1, 2], [1, -2]) })).toEqual([1, -2]);
  expect(jsonOf({ tensor: handlerTools.fileTensor("f", [new Uint8Array([255, 254])]) })).toBe("//4=");
});
