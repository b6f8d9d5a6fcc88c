import { expect, test } from "vitest";
import { checkNoSequence, type InferRequest, priorityOf, timeoutUsOf } from "./message.ts";
import type { Parameters } from "./tensor.ts";

const request = (parameters: Parameters): InferRequest => ({ parameters, inputs: [] });

test("priority is 0 unless given", () => {
  expect(priorityOf(request({}))).toBe(0);
  expect(priorityOf(request({ priority: 3 }))).toBe(3);
});

test("timeout is in microseconds and may be absent", () => {
  expect(timeoutUsOf(request({}))).toBeUndefined();
  expect(timeoutUsOf(request({ timeout: 50_000 }))).toBe(50_000);
});

test.each([-1, 1.5, "1", true, 2 ** 53])("a priority or timeout of %j is refused", (value) => {
  expect(() => priorityOf(request({ priority: value }))).toThrow("parameters.priority is");
  expect(() => timeoutUsOf(request({ timeout: value }))).toThrow("parameters.timeout is");
});

test("a timeout of 0 is refused, because it could mean none or at once", () => {
  expect(() => timeoutUsOf(request({ timeout: 0 }))).toThrow(
    "parameters.timeout is 0; allowed: positive integers",
  );
});

test.each([
  {},
  { sequence_id: 0 },
  { sequence_id: "" },
  { sequence_id: 0, sequence_start: false, sequence_end: false },
])("the parameters %j are of no sequence", (parameters) => {
  expect(() => checkNoSequence({ parameters, inputs: [] })).not.toThrow();
});

test.each([
  [{ sequence_id: 7 }, "parameters.sequence_id is 7; sequences are not supported"],
  [{ sequence_id: "camera" }, 'parameters.sequence_id is "camera"'],
  [{ sequence_id: 18446744073709551615n }, "parameters.sequence_id is 18446744073709551615"],
  [{ sequence_start: true }, "parameters.sequence_start is true"],
  [{ sequence_id: 0, sequence_end: true }, "parameters.sequence_end is true"],
])("the step of a sequence %o is refused by name", (parameters, message) => {
  expect(() => checkNoSequence({ parameters, inputs: [] })).toThrow(message);
});
