import * as fc from "fast-check";
import { expect, test } from "vitest";
import { datatypes, elementBytes } from "./datatype.ts";
import { ProtocolError } from "./errors.ts";
import type { InferRequest, InferResponse } from "./message.ts";
import { commonRows, rowsOf, sharedEntries, splitResponse, stackKey, stackRequests } from "./stack.ts";
import { checkTensor, type Tensor, tensorFromNumbers, tensorFromStrings } from "./tensor.ts";

const floats = (name: string, shape: number[]) =>
  tensorFromNumbers(
    name,
    "FP32",
    shape,
    new Float32Array(shape.reduce((product, size) => product * size, 1)),
  );
const request = (...inputs: Tensor[]): InferRequest => ({ parameters: {}, inputs });
const response = (...outputs: Tensor[]): InferResponse => ({ modelName: "m", parameters: {}, outputs });

test("rows are the first dimension, which all inputs share", () => {
  expect(rowsOf(request(floats("x", [3, 2]), floats("y", [3])))).toBe(3);
  expect(() => rowsOf(request(floats("x", [3, 2]), floats("y", [2])))).toThrow(
    'input "x" has 3 rows and input "y" has 2',
  );
  expect(() => rowsOf(request(floats("x", [])))).toThrow('input "x" has shape []');
  expect(() => rowsOf(request(floats("x", [0, 2])))).toThrow("must be 1 row or more");
  expect(() => rowsOf(request())).toThrow("no inputs");
});

test("the key tells which requests may be stacked, whatever the order and the rows", () => {
  const key = stackKey(request(floats("x", [1, 2]), floats("y", [1])));
  expect(stackKey(request(floats("y", [5]), floats("x", [5, 2])))).toBe(key);
  expect(stackKey({ ...request(floats("x", [1, 2]), floats("y", [1])), parameters: { timeout: 1 } })).toBe(
    key,
  );
  const others: InferRequest[] = [
    request(floats("x", [1, 3]), floats("y", [1])),
    request(floats("x", [1, 2])),
    request(floats("x", [1, 2]), floats("z", [1])),
    request(floats("x", [1, 2]), tensorFromNumbers("y", "INT32", [1], [0])),
    { ...request(floats("x", [1, 2]), floats("y", [1])), outputs: [{ name: "o" }] },
    { ...request(floats("x", [1, 2]), floats("y", [1])), parameters: { temperature: 1 } },
  ];
  for (const other of others) expect(stackKey(other)).not.toBe(key);
  expect(stackKey(request(floats("x", [])))).not.toBe(stackKey(request(floats("x", [1]))));
});

test("rows are joined in the order of requests, inputs in the order of the first", () => {
  const a = request(tensorFromNumbers("x", "INT8", [1, 2], [1, 2]), tensorFromStrings("s", [1], ["a"]));
  const b = request(
    tensorFromStrings("s", [2], ["b", "cc"]),
    tensorFromNumbers("x", "INT8", [2, 2], [3, 4, 5, 6]),
  );
  expect(stackRequests([a, b])).toEqual(
    request(
      tensorFromNumbers("x", "INT8", [3, 2], [1, 2, 3, 4, 5, 6]),
      tensorFromStrings("s", [3], ["a", "b", "cc"]),
    ),
  );
});

test("what concerns one caller only is left out of the batch", () => {
  const own = {
    ...request(floats("x", [1])),
    id: "a",
    parameters: { timeout: 5, binary_data_output: true, mode: "fast" },
    outputs: [{ name: "y", parameters: { binary_data: true } }],
  };
  expect(stackRequests([own])).toEqual({
    ...request(floats("x", [1])),
    parameters: { mode: "fast" },
    outputs: [{ name: "y" }],
  });
});

test("a single request is not copied", () => {
  const only = request(floats("x", [1]));
  expect(stackRequests([only]).inputs[0]?.data).toBe(only.inputs[0]?.data);
});

test("a refusal to stack names both sides", () => {
  const a = { ...request(floats("x", [1, 3, 48, 192])), id: "a" };
  const cases: [InferRequest, string][] = [
    [
      { ...request(floats("x", [1, 3, 48, 320])), id: "b" },
      'input "x": cannot stack FP32[1,3,48,192] with FP32[1,3,48,320] (request "a" and request "b")',
    ],
    [
      request(floats("y", [1])),
      'input "x" is missing in one of the two; cannot stack them (request "a" and request number 2)',
    ],
    [
      request(floats("x", [1]), floats("y", [1])),
      'cannot stack 1 inputs with 2 inputs (request "a" and request number',
    ],
    [{ ...a, outputs: [{ name: "y" }] }, "different outputs"],
    [{ ...a, parameters: { mode: "fast" } }, "different parameters"],
  ];
  for (const [b, message] of cases) {
    expect(() => stackRequests([a, b])).toThrow(message);
    expect(stackKey(a)).not.toBe(stackKey(b));
  }
});

test("an answer that has not a row for each row asked is the server's fault", () => {
  for (const shape of [[2, 5], []]) {
    expect(() => splitResponse(response(floats("y", shape)), [1, 2], ["a", "b"])).toThrow(
      expect.objectContaining({ status: 502, message: expect.stringContaining('output "y" has shape') }),
    );
  }
  const short = { ...floats("y", [3]), data: new Uint8Array(8) };
  expect(() => splitResponse(response(short), [1, 2], ["a", "b"])).toThrow(
    new ProtocolError('output "y" has 8 bytes of data; FP32[3] takes 12 bytes', 502),
  );
});

test("each part has its own id and never another's", () => {
  const whole = {
    ...response(tensorFromNumbers("y", "INT8", [3], [1, 2, 3])),
    id: "batch",
    modelVersion: "4",
  };
  expect(splitResponse(whole, [2, 1], ["a", undefined])).toEqual([
    { ...response(tensorFromNumbers("y", "INT8", [2], [1, 2])), id: "a", modelVersion: "4" },
    { ...response(tensorFromNumbers("y", "INT8", [1], [3])), modelVersion: "4" },
  ]);
});

test("calls that contradict themselves are programmer errors", () => {
  expect(() => stackRequests([])).toThrow(RangeError);
  expect(() => splitResponse(response(), [1], [])).toThrow(RangeError);
  expect(() => splitResponse(response(), [0], ["a"])).toThrow(RangeError);
});

const signature = fc.uniqueArray(
  fc.record({
    name: fc.string({ minLength: 1 }),
    datatype: fc.constantFrom(...datatypes),
    inner: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 2 }),
  }),
  { selector: ({ name }) => name, minLength: 1, maxLength: 3 },
);

/** Requests of the same signature, each with its own rows and bits. */
const stackable = fc
  .tuple(signature, fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 }))
  .chain(([inputs, rows]) =>
    fc.tuple(
      ...rows.map((count, index) =>
        fc.infiniteStream(fc.nat(255)).map((bytes): InferRequest => {
          const next = () => bytes.next().value ?? 0;
          const request = {
            parameters: {},
            inputs: inputs.map(({ name, datatype, inner }) =>
              fill({ name, datatype, shape: [count, ...inner] }, next),
            ),
          };
          return index % 2 === 0 ? Object.assign(request, { id: `r${index}` }) : request;
        }),
      ),
    ),
  );

function fill(tensor: Omit<Tensor, "data">, next: () => number): Tensor {
  const { name, datatype, shape } = tensor;
  const count = shape.reduce((product, size) => product * size, 1);
  if (datatype === "BYTES") {
    return tensorFromStrings(
      name,
      shape,
      Array.from({ length: count }, () => "b".repeat(next() % 7)),
    );
  }
  const byte = () => (datatype === "BOOL" ? next() % 2 : next());
  return { ...tensor, data: Uint8Array.from({ length: count * elementBytes(datatype) }, byte) };
}

test("splitting what an echo answers to a stack gives back every request", () => {
  fc.assert(
    fc.property(stackable, (requests) => {
      expect(new Set(requests.map(stackKey)).size).toBe(1);
      const batch = stackRequests(requests);
      for (const input of batch.inputs) checkTensor(input);
      const ids = requests.map(({ id }) => id);
      const parts = splitResponse(response(...batch.inputs), requests.map(rowsOf), ids);
      expect(parts.map(({ outputs }) => outputs)).toEqual(requests.map(({ inputs }) => inputs));
      expect(parts.map(({ id }) => id)).toEqual(ids);
    }),
    { numRuns: 500 },
  );
});

test("parameters that steer transport or scheduling need not agree, all others must", () => {
  const parameters = {
    z: 1,
    timeout: 5,
    priority: 1,
    binary_data: true,
    binary_data_output: true,
    spillway_route: "edge",
    a: "x",
  };
  expect(sharedEntries(parameters)).toEqual([
    ["a", "x"],
    ["z", 1],
  ]);
  expect(sharedEntries(undefined)).toEqual([]);
});

test("parameters that differ beyond 2^53 or in type only do not share a batch", () => {
  const keys = [9007199254740993n, 9007199254740995n, "9007199254740993"].map((seed) =>
    stackKey({ parameters: { seed }, inputs: [] }),
  );
  expect(new Set(keys).size).toBe(3);
});

test("tensors have rows in common when they have the same first dimension, be it none", () => {
  const rows = (...shapes: number[][]) => commonRows(shapes.map((shape) => floats("x", shape)));
  expect(rows([3, 2], [3])).toBe(3);
  expect(rows([0, 2], [0])).toBe(0);
  expect(rows([3], [2, 3])).toBeUndefined();
  expect(rows([3], [])).toBeUndefined();
  expect(rows([])).toBeUndefined();
});

test("keeps keys short that tell long parameters apart", () => {
  const [a, b] = ["a", "b"].map((last) => {
    const parameters = { text: "x".repeat(1_000_000) + last };
    return stackKey({ parameters, inputs: [floats("x", [1, 2])] });
  });
  expect([a?.length, a === b]).toEqual([43, false]);
  expect(stackKey({ parameters: {}, inputs: [] })).toHaveLength(43);
});
