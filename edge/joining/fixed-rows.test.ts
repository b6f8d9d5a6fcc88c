import { expect, it } from "vitest";
import { type Tensor, tensorFromNumbers, tensorToNumbers } from "../../protocol/tensor.ts";
import { runByRows } from "./fixed-rows.ts";

const rowsOf = (values: readonly number[]): Tensor[] => [
  tensorFromNumbers("x", "INT32", [values.length, 1], values),
];
const numbers = ([tensor]: readonly Tensor[]): number[] => [...tensorToNumbers(tensor as Tensor)];

it.each([
  [4, [1, 2, 3, 4], [[1, 2, 3, 4]]],
  [4, [1], [[1, 1, 1, 1]]],
  [
    4,
    [1, 2, 3, 4, 5, 6],
    [
      [1, 2, 3, 4],
      [5, 6, 6, 6],
    ],
  ],
  [1, [1, 2, 3], [[1], [2], [3]]],
])(
  "a batch fixed at %i runs %j as %j, and every row gets its own answer",
  async (fixedRows, values, runs) => {
    const ran: number[][] = [];
    const { outputs, serviceMs } = await runByRows(fixedRows, rowsOf(values), async (inputs) => {
      ran.push(numbers(inputs));
      return { outputs: [{ ...(inputs[0] as Tensor), name: "y" }], serviceMs: 2 };
    });
    expect(ran).toEqual(runs);
    expect(numbers(outputs)).toEqual(values);
    expect(serviceMs).toBe(2 * runs.length);
  },
);

it("inputs without common rows run as they are", async () => {
  const inputs = [...rowsOf([1, 2]), tensorFromNumbers("s", "INT32", [], [7])];
  const result = await runByRows(1, inputs, async (given) => ({ outputs: given, serviceMs: 0 }));
  expect(result.outputs).toBe(inputs);
});

it("an output that has not the rows of a run, whatever the file says, makes other rows a refusal", async () => {
  const run = async () => ({ outputs: rowsOf([1, 2, 3]), serviceMs: 0 });
  await expect(runByRows(1, rowsOf([1, 2]), run)).rejects.toMatchObject({
    status: 400,
    message:
      'the request has 2 rows; the batch of the model is fixed at 1, and its output "x" is [3,1], ' +
      "which has not the rows of a run; allowed: 1 rows",
  });
  expect((await runByRows(1, rowsOf([1]), run)).outputs).toEqual(rowsOf([1, 2, 3]));
});
