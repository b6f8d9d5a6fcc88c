import { expect, it } from "vitest";
import { encodeInferResponse } from "./encode.ts";
import { answerLine, cutLines, faultLine, isFault, rowsOfLine } from "./result-line.ts";
import { tensorFromNumbers } from "./tensor.ts";

const answer = { modelName: "m", parameters: {}, outputs: [tensorFromNumbers("y", "FP32", [1, 2], [1, 2])] };
const parsed = (line: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(line));

it("is the answer with its rows before it", () => {
  const line = answerLine(
    { row: 8, rows: 1, line: 9 },
    encodeInferResponse(answer, () => false),
  );
  expect(parsed(line)).toEqual({
    row: 8,
    rows: 1,
    line: 9,
    model_name: "m",
    outputs: [{ name: "y", datatype: "FP32", shape: [1, 2], data: [1, 2] }],
  });
  expect(rowsOfLine(line)).toEqual({ row: 8, rows: 1 });
});

it("has in base64 what is binary", () => {
  const line = answerLine(
    { row: 0, rows: 1, name: "a.png" },
    encodeInferResponse(answer, () => true),
  );
  expect(parsed(line)).toMatchObject({
    name: "a.png",
    outputs: [{ parameters: { binary_data_size: 8 } }],
    binary: Buffer.from(new Float32Array([1, 2]).buffer).toString("base64"),
  });
});

it("is an error where there is no answer", () => {
  const line = faultLine(
    { row: 3, rows: 97 },
    { error: "it was\ncancelled", code: "cancelled", status: 499 },
  );
  expect(parsed(line)).toEqual({
    row: 3,
    rows: 97,
    error: "it was\ncancelled",
    code: "cancelled",
    status: 499,
  });
  expect(isFault(line)).toBe(true);
  const named = { ...answer, modelName: '"error":"none"' };
  expect(
    isFault(
      answerLine(
        { row: 3, rows: 1 },
        encodeInferResponse(named, () => false),
      ),
    ),
  ).toBe(false);
});

it("is cut from others at its newline, and a torn one is left over", () => {
  const { lines, rest } = cutLines(new TextEncoder().encode('{"row":0,"rows":1,"a":1}\n{"row":1,"ro'));
  expect(lines.map((each) => rowsOfLine(each))).toEqual([{ row: 0, rows: 1 }]);
  expect(new TextDecoder().decode(rest)).toBe('{"row":1,"ro');
  expect(rowsOfLine(rest)).toBeUndefined();
});
