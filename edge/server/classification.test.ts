import { expect, test } from "vitest";
import { tensorFromNumbers, tensorFromStrings, tensorToStrings } from "../../protocol/tensor.ts";
import { classesWanted, classify } from "./classification.ts";

const labels = ["cat", "dog", "owl"];

test("each row has its best classes, highest first, with their labels", () => {
  const scores = tensorFromNumbers("scores", "FP32", [2, 3], [0.1, 0.75, 0.15, 5, 3, 4]);
  const classes = classify(scores, 2, { labels });
  expect(classes).toMatchObject({ name: "scores", datatype: "BYTES", shape: [2, 2] });
  expect(tensorToStrings(classes)).toEqual([
    "0.750000:1:dog",
    "0.150000:2:owl",
    "5.000000:0:cat",
    "4.000000:2:owl",
  ]);
});

test("a row of several dimensions is counted through", () => {
  const scores = tensorFromNumbers("y", "INT32", [1, 2, 2], [1, 4, 3, 2]);
  const classes = classify(scores, 3);
  expect(classes.shape).toEqual([1, 3]);
  expect(tensorToStrings(classes)).toEqual(["4:1", "3:2", "2:3"]);
});

test("one dimension is of classes, unless it is known to be of rows", () => {
  const scores = tensorFromNumbers("y", "FP64", [2], [1, 2]);
  const flat = classify(scores, 1);
  expect([flat.shape, tensorToStrings(flat)]).toEqual([[1], ["2.000000:1"]]);
  const rows = classify(scores, 1, { hasRows: true });
  expect([rows.shape, tensorToStrings(rows)]).toEqual([
    [2, 1],
    ["1.000000:0", "2.000000:0"],
  ]);
});

test("there are never more classes than the output has, and none of no rows", () => {
  const classes = classify(tensorFromNumbers("y", "UINT8", [1, 2], [7, 9]), 5, { labels });
  expect([classes.shape, tensorToStrings(classes)]).toEqual([
    [1, 2],
    ["9:1:dog", "7:0:cat"],
  ]);
  expect(classify(tensorFromNumbers("y", "FP32", [0, 3], []), 2)).toMatchObject({ shape: [0, 2] });
});

test("equal values keep their order, and NaN comes last", () => {
  const numbers = [Number.NaN, 1, -Infinity, 1, Infinity, -0];
  expect(tensorToStrings(classify(tensorFromNumbers("y", "FP32", [1, 6], numbers), 6))).toEqual([
    "inf:4",
    "1.000000:1",
    "1.000000:3",
    "-0.000000:5",
    "-inf:2",
    "nan:0",
  ]);
});

// From C: printf("%f", …)
test.each([
  [0.0078125, "0.007812"],
  [0.0234375, "0.023438"],
  [-0.0078125, "-0.007812"],
  [1e-9, "0.000000"],
  [3.4028234663852886e38, "340282346638528859811704183484516925440.000000"],
  [0.30000001192092896, "0.300000"],
  [1234567.125, "1234567.125000"],
])("%d is printed as C does", (value, text) => {
  expect(tensorToStrings(classify(tensorFromNumbers("y", "FP64", [1, 1], [value]), 1))).toEqual([
    `${text}:0`,
  ]);
});

test("64-bit integers keep all digits", () => {
  const data = new Uint8Array(BigInt64Array.of(9007199254740992n, 9007199254740993n).buffer);
  const classes = classify({ name: "y", datatype: "INT64", shape: [1, 2], data }, 2);
  expect(tensorToStrings(classes)).toEqual(["9007199254740993:1", "9007199254740992:0"]);
});

test("text, booleans and halves are refused by name", () => {
  const text = tensorFromStrings("y", [1, 1], ["a"]);
  expect(() => classify(text, 1)).toThrow(
    'output "y" is BYTES[1,1]; classification takes integers, FP32 and FP64',
  );
  expect(() => classify(tensorFromNumbers("y", "BOOL", [1, 1], [1]), 1)).toThrow('output "y" is BOOL[1,1]');
  const half = { name: "y", datatype: "FP16", shape: [1, 1], data: new Uint8Array(2) } as const;
  expect(() => classify(half, 1)).toThrow('output "y" is FP16[1,1]');
});

test.each([0, -1, 1.5, "3", true])("a classification of %j is refused by name", (classification) => {
  expect(() => classesWanted({ name: "y", parameters: { classification } })).toThrow(
    `classification of output "y" is ${JSON.stringify(classification)}; allowed: integers from 1`,
  );
});

test("without the parameter no classes are wanted", () => {
  expect(classesWanted({ name: "y", parameters: { binary_data: true } })).toBeUndefined();
  expect(classesWanted({ name: "y", parameters: { classification: 3 } })).toBe(3);
});
