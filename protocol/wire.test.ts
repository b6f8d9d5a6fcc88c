// Properties of decode.ts and encode.ts together: what is written is read back, and nothing else gets through unnamed.

import { Buffer } from "node:buffer";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type Datatype, datatypes, elementBytes } from "./datatype.ts";
import { decodeInferRequest, decodeInferResponse } from "./decode.ts";
import { encodeInferRequest, encodeInferResponse } from "./encode.ts";
import { ProtocolError } from "./errors.ts";
import type { InferRequest, InferResponse, WireBody } from "./message.ts";
import { type Tensor, tensorFromNumbers, tensorFromStrings } from "./tensor.ts";

// JSON.stringify has no negative zero; in tensors it is kept.
const finite = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const parameters = fc.dictionary(
  fc.string().filter((name) => !name.startsWith("binary_data")),
  fc.oneof(fc.string(), fc.boolean(), fc.integer(), finite, fc.constant(12345678901234567891n)),
  { maxKeys: 3 },
);
const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
const countOf = (dimensions: readonly number[]) => dimensions.reduce((product, size) => product * size, 1);

/** Tensors whose data JSON can state. */
function jsonTensor(datatype: Exclude<Datatype, "FP16" | "BF16">): fc.Arbitrary<Tensor> {
  const numbers: Record<Exclude<Datatype, "FP16" | "BF16" | "BYTES">, fc.Arbitrary<number>> = {
    BOOL: fc.integer({ min: 0, max: 1 }),
    INT8: fc.integer({ min: -128, max: 127 }),
    INT16: fc.integer({ min: -32768, max: 32767 }),
    INT32: fc.integer(),
    INT64: fc.maxSafeInteger(),
    UINT8: fc.nat(255),
    UINT16: fc.nat(65535),
    UINT32: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    UINT64: fc.maxSafeNat(),
    FP32: fc.float({ noNaN: true, noDefaultInfinity: true }),
    FP64: fc.double({ noNaN: true, noDefaultInfinity: true }),
  };
  return fc.tuple(fc.string({ minLength: 1, unit: "binary" }), shape).chain(([name, dimensions]) => {
    const length = { minLength: countOf(dimensions), maxLength: countOf(dimensions) };
    return datatype === "BYTES"
      ? fc
          .array(fc.string({ unit: "binary" }), length)
          .map((values) => tensorFromStrings(name, dimensions, values))
      : fc
          .array(numbers[datatype], length)
          .map((values) => tensorFromNumbers(name, datatype, dimensions, values));
  });
}

/** Tensors of any bits, NaN, halves and BYTES that are no text among them. */
function binaryTensor(datatype: Datatype): fc.Arbitrary<Tensor> {
  return fc.tuple(fc.string({ minLength: 1 }), shape).chain(([name, dimensions]) => {
    const count = countOf(dimensions);
    const bytes = count * elementBytes(datatype);
    const data =
      datatype === "BYTES"
        ? fc.array(fc.uint8Array({ maxLength: 9 }), { minLength: count, maxLength: count }).map(joinElements)
        : fc.uint8Array({ minLength: bytes, maxLength: bytes, ...(datatype === "BOOL" && { max: 1 }) });
    return data.map((raw) => ({ name, datatype, shape: dimensions, data: raw }));
  });
}

const joinElements = (elements: Uint8Array[]) =>
  Uint8Array.from(elements.flatMap((element) => [element.length, 0, 0, 0, ...element]));

const requestOf = (tensor: fc.Arbitrary<Tensor>): fc.Arbitrary<InferRequest> =>
  fc.record(
    {
      id: fc.string(),
      parameters,
      inputs: fc.uniqueArray(tensor, { selector: ({ name }) => name, minLength: 1, maxLength: 3 }),
      outputs: fc.uniqueArray(fc.record({ name: fc.string({ minLength: 1 }) }), {
        selector: ({ name }) => name,
        minLength: 1,
        maxLength: 3,
      }),
    },
    { requiredKeys: ["parameters", "inputs"] },
  );
const responseOf = (request: InferRequest): InferResponse => ({
  modelName: "m",
  ...(request.id !== undefined && { modelVersion: "1", id: request.id }),
  parameters: request.parameters,
  outputs: request.inputs,
});

const plainDatatypes = datatypes.filter((datatype) => datatype !== "FP16" && datatype !== "BF16");

test.each(plainDatatypes)("%s tensors come through JSON unchanged", (datatype) => {
  fc.assert(
    fc.property(requestOf(jsonTensor(datatype)), (request) => {
      const wire = encodeInferRequest(request, { binary: false });
      expect(decodeInferRequest(wire.body, wire.headerBytes)).toEqual(request);
      const answer = encodeInferResponse(responseOf(request), () => false);
      expect(decodeInferResponse(answer.body, answer.headerBytes)).toEqual(responseOf(request));
    }),
  );
});

test.each(datatypes)("%s tensors of any bits come through the binary form unchanged", (datatype) => {
  fc.assert(
    fc.property(requestOf(binaryTensor(datatype)), (request) => {
      const wire = encodeInferRequest(request, { binary: true });
      expect(decodeInferRequest(wire.body, wire.headerBytes)).toEqual({
        ...request,
        parameters: { ...request.parameters, binary_data_output: true },
      });
      const answer = encodeInferResponse(responseOf(request), () => true);
      expect(decodeInferResponse(answer.body, answer.headerBytes)).toEqual(responseOf(request));
    }),
  );
});

/** Fails unless the bytes are decoded or refused with a 4xx ProtocolError. */
function survives(body: Uint8Array, headerBytes: number | undefined): void {
  for (const decode of [decodeInferRequest, decodeInferResponse]) {
    try {
      decode(body, headerBytes);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      expect(error.status).toBeGreaterThanOrEqual(400);
      expect(error.status).toBeLessThan(500);
      expect(error.message.length).toBeLessThan(1000);
    }
  }
}

const headerLength = fc.option(fc.oneof(fc.nat(300), fc.integer(), fc.double()), { nil: undefined });

test("random bytes are refused by name", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), headerLength, survives), { numRuns: 2000 });
});

test("random JSON is refused by name", () => {
  const json = fc.oneof(
    fc.json(),
    fc
      .record({ inputs: fc.array(fc.jsonValue()), outputs: fc.jsonValue(), model_name: fc.jsonValue() })
      .map((value) => JSON.stringify(value)),
  );
  fc.assert(
    fc.property(json, headerLength, (text, headerBytes) => survives(Buffer.from(text), headerBytes)),
    { numRuns: 2000 },
  );
});

const anyTensor = fc.constantFrom(...plainDatatypes).chain(jsonTensor);
const validBody: fc.Arbitrary<WireBody> = fc
  .tuple(requestOf(anyTensor), fc.boolean(), fc.boolean())
  .map(([request, binary, answer]) =>
    answer ? encodeInferResponse(responseOf(request), () => binary) : encodeInferRequest(request, { binary }),
  );

test("truncated bodies are refused by name", () => {
  fc.assert(
    fc.property(validBody, fc.double({ min: 0, max: 1, noNaN: true }), ({ body, headerBytes }, share) => {
      survives(body.subarray(0, Math.floor(body.length * share)), headerBytes);
    }),
    { numRuns: 1000 },
  );
});

test("bodies with changed bytes or a changed header length are decoded or refused by name", () => {
  const change = fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('[]{}",:0-9e.'))));
  fc.assert(
    fc.property(
      validBody,
      fc.array(change, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: -3, max: 3 }),
      ({ body, headerBytes }, changes, shift) => {
        const mutated = Uint8Array.from(body);
        for (const [at, byte] of changes) mutated[at % mutated.length] = byte;
        survives(mutated, headerBytes);
        if (headerBytes !== undefined) survives(body, headerBytes + shift);
      },
    ),
    { numRuns: 2000 },
  );
});

test.each([
  ["brackets", "[".repeat(4e6)],
  ["open inputs", '{"inputs":'.repeat(4e5)],
  ["backslashes", `"${"\\".repeat(4e6)}`],
  ["digits", "9".repeat(4e6)],
  ["empty arrays", `{"inputs":[${"[],".repeat(1e6)}[]]}`],
  ["dimensions", `{"inputs":[{"name":"x","datatype":"INT8","data":[],"shape":[${"1,".repeat(1e6)}1]}]}`],
  ["a long name", `{"inputs":[{"name":"${"x".repeat(4e6)}"}]}`],
])("megabytes of %s are refused within a second or so", { tags: ["slow"] }, (_, text) => {
  const startMs = performance.now();
  survives(Buffer.from(text), undefined);
  // Generous for busy machines: what is excluded is quadratic work, which would take minutes.
  expect(performance.now() - startMs).toBeLessThan(5000);
});

test.each(["INT64", "UINT64"] as const)("%s tensors of any bits come through JSON unchanged", (datatype) => {
  fc.assert(
    fc.property(requestOf(binaryTensor(datatype)), (request) => {
      const wire = encodeInferRequest(request, { binary: false });
      expect(decodeInferRequest(wire.body, wire.headerBytes)).toEqual(request);
    }),
  );
});
