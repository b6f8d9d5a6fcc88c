import { expect, it } from "vitest";
import { runFault } from "./run-fault.ts";

const running = (op: string, text: string) =>
  `Non-zero status code returned while running ${op} node. Name:'/shape/alloc' Status Message: ${text}`;

// As ONNX Runtime 1.30 says it.
it.each([
  "Invalid rank for input: x Got: 1 Expected: 2 Please fix either the inputs/outputs or the model.",
  "Got invalid dimensions for input: x for the following indices\n index: 1 Got: 3 Expected: 4\n Please fix",
  "Unexpected input data type. Actual: (tensor(double)) , expected: (tensor(float))",
  running("Gather", "indices element out of data bounds, idx=99 must be within the inclusive range [-10,9]"),
  running(
    "Add",
    "/x/element_wise_ops.h:560 BroadcastIterator::Init axis == 1 || axis == largest was false. Attempting to broadcast an axis by a dimension other than 1. 3 by 4",
  ),
  running(
    "Reshape",
    "/x/reshape_helper.h:45 The input tensor cannot be reshaped to the requested shape. Input shape:{3}",
  ),
  running(
    "MatMul",
    "matmul_helper.h:59 left operand cannot broadcast on dim 0 LeftShape: {2,3}, RightShape: {4,2}",
  ),
  running("GatherND", "invalid index found, index = 9"),
])("answers 400 when the inputs are at fault: %s", (message) => {
  expect(runFault("m", message)).toMatchObject({
    status: 400,
    message: `the inputs do not suit model m: ${message}`,
  });
});

it.each([
  "bad allocation",
  running(
    "Conv",
    "/x/bfc_arena.cc:376 Failed to allocate memory for requested buffer of shape and size 1024",
  ),
  running("Relu", "CUDNN failure 4: CUDNN_STATUS_INTERNAL_ERROR"),
  "output 'y' is not there",
])("answers 500 when the model or the machine is: %s", (message) => {
  expect(runFault("m", message)).toMatchObject({ status: 500, message: `model m failed: ${message}` });
});

it("answers 400 when a node fails on inputs without elements, and not when the machine is at its end", () => {
  const statusOf = (message: string, hasEmpty: boolean): number => runFault("m", message, hasEmpty).status;
  const silent = running("ArgMax", "");
  expect([statusOf(silent, true), statusOf(silent, false)]).toEqual([400, 500]);
  expect(statusOf(running("Conv", "Failed to allocate memory"), true)).toBe(500);
  expect(statusOf("output 'y' is not there", true)).toBe(500);
});
