import { expect, it } from "vitest";
import { decodeInferRequest } from "../../protocol/decode.ts";
import { drawQuestions, readDirection } from "./questions.ts";
import { createLines } from "../../client/daemon/profile/payload/text-lines.ts";

it("takes the likelier of the two directions", () => {
  expect(readDirection([0.9, 0.1])).toBe(false);
  expect(readDirection(new Float32Array([0.1, 0.9]))).toBe(true);
});

it("refuses anything but two numbers as a direction", () => {
  for (const wrong of [[], [1], [0.2, 0.3, 0.5], [0.5, Number.NaN]]) {
    expect(() => readDirection(wrong)).toThrow(RangeError);
  }
});

it("draws as many questions as are asked for, all different", async () => {
  const questions = await drawQuestions(createLines(40, 1))(12);
  expect(questions).toHaveLength(12);
  const pictures = questions.map(({ wire: { body, headerBytes } }) =>
    Buffer.from(decodeInferRequest(body, headerBytes).inputs[0]?.data as Uint8Array).toString("latin1"),
  );
  expect(new Set(pictures).size).toBe(12);
});
