import { describe, expect, it } from "vitest";
import type { ModelMetadata } from "./message.ts";
import { lineRequest } from "./line-request.ts";
import { tensorToNumbers, tensorToStrings } from "./tensor.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
type Input = ModelMetadata["inputs"][number];
const modelOf = (...inputs: Input[]): ModelMetadata => ({ name: "m", platform: "", inputs, outputs: [] });
const floats = (name: string, ...shape: number[]): Input => ({ name, datatype: "FP32", shape });

function only(line: string, input: Input) {
  const [tensor] = lineRequest(bytesOf(line), modelOf(input)).inputs;
  if (tensor === undefined) throw new Error("no input");
  return tensor;
}

describe("a line that is a V2 request", () => {
  it("is taken as it is, also where nothing is known of the model", () => {
    const line = '{"id":"a","inputs":[{"name":"x","datatype":"INT32","shape":[2,1],"data":[1,2]}]}';
    const { id, inputs } = lineRequest(bytesOf(line), undefined);
    expect([id, inputs[0]?.shape]).toEqual(["a", [2, 1]]);
  });

  it("is refused for what the protocol does not allow", () => {
    expect(() => lineRequest(bytesOf('{"inputs":[]}'), undefined)).toThrow("inputs is an empty array");
    const step =
      '{"parameters":{"sequence_id":3},"inputs":[{"name":"x","datatype":"INT8","shape":[1],"data":[1]}]}';
    expect(() => lineRequest(bytesOf(step), undefined)).toThrow("sequences are not supported");
  });
});

describe("a line that is a row", () => {
  it("is the value of the only input: flat or nested, with open sizes as it has them", () => {
    expect(only("[1,2,3]", floats("x", -1, 3)).shape).toEqual([1, 3]);
    expect([...tensorToNumbers(only("[[1,2],[3,4]]", floats("x", -1, 2, 2)))]).toEqual([1, 2, 3, 4]);
    expect(only("[1,2,3,4]", floats("x", -1, 2, 2)).shape).toEqual([1, 2, 2]);
    expect(only("[[1,2,3],[4,5,6]]", floats("x", -1, -1, -1)).shape).toEqual([1, 2, 3]);
    expect(only("[1,2,3,4,5,6]", floats("x", -1, 2, -1)).shape).toEqual([1, 2, 3]);
    expect(only("7", floats("x", -1)).shape).toEqual([1]);
    expect(only("[7]", floats("x", 1, -1)).shape).toEqual([1, 1]);
  });

  it("is a text for an input of strings", () => {
    expect(tensorToStrings(only('"good morning"', { name: "t", datatype: "BYTES", shape: [-1] }))).toEqual([
      "good morning",
    ]);
  });

  it("is an object by the names of the inputs", () => {
    const { inputs } = lineRequest(bytesOf('{"b":[1],"a":2}'), modelOf(floats("a", -1), floats("b", -1, 1)));
    expect(inputs.map(({ name, shape }) => [name, shape])).toEqual([
      ["a", [1]],
      ["b", [1, 1]],
    ]);
  });

  it("takes a first dimension that is neither open nor 1 for a part of the value", () => {
    expect(only("[1,2,3,4]", floats("x", 4)).shape).toEqual([4]);
    expect(only("[[1,2],[3,4]]", floats("x", 2, 2)).shape).toEqual([2, 2]);
  });

  it.each([
    ["[1,2", "is not valid JSON"],
    ["[1,2]", "has an array of 2 at nesting depth 2; shape [1,3] takes 3"],
    ['"text"', 'is "text" at nesting depth 0; a row has the shape [3]'],
    ['{"y":1}', 'no input "y"; allowed: x'],
    ["{}", 'input "x" is missing'],
    ["null", "is null"],
    ["[1,null,3]", "element 1 is null"],
  ])("says what is wrong with %s", (line, why) => {
    expect(() => only(line, floats("x", -1, 3))).toThrow(why);
  });

  it("needs a model of which it is known what it takes", () => {
    expect(() => lineRequest(bytesOf("[1]"), undefined)).toThrow("allowed: V2 requests");
  });
});
