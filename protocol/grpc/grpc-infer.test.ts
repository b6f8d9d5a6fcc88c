/** Messages of inference and what they stand for, through the bytes on the wire. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesOfElements } from "../bytes-elements.ts";
import { datatypes, elementBytes } from "../datatype.ts";
import type { InferRequest, InferResponse } from "../message.ts";
import type { Tensor } from "../tensor.ts";
import {
  fromGrpcRequest,
  fromGrpcResponse,
  type GrpcInferRequest,
  type GrpcInferResponse,
  toGrpcRequest,
  toGrpcResponse,
} from "./grpc-infer.ts";
import { type GrpcMethod, openSchema } from "./schema.ts";

const { request: asked, response: answered } = openSchema().methods.get("ModelInfer") as GrpcMethod;

const parameters = fc.dictionary(
  fc.string({ minLength: 1 }).filter((name) => !/^binary_data|__proto__/.test(name)),
  fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.bigInt({ min: 2n ** 60n, max: 2n ** 64n - 1n }).filter((value) => BigInt(Number(value)) !== value),
    fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 60n) }).filter((value) => BigInt(Number(value)) !== value),
  ),
  { maxKeys: 4 },
);

const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 });

/** Any bits, NaN and bytes that are no text among them. */
const tensor: fc.Arbitrary<Tensor> = fc
  .tuple(fc.constantFrom(...datatypes), fc.string({ minLength: 1 }), shape, parameters)
  .chain(([datatype, name, dimensions, own]) => {
    const count = dimensions.reduce((product, size) => product * size, 1);
    const bytes = count * elementBytes(datatype);
    const data =
      datatype === "BYTES"
        ? fc
            .array(fc.uint8Array({ maxLength: 5 }), { minLength: count, maxLength: count })
            .map(bytesOfElements)
        : fc.uint8Array({ minLength: bytes, maxLength: bytes, ...(datatype === "BOOL" && { max: 1 }) });
    const said = Object.keys(own).length > 0 ? { parameters: own } : {};
    return data.map((raw): Tensor => ({ name, datatype, shape: dimensions, data: raw, ...said }));
  });

/** Plain arrays, since a Buffer is another class, and floats by their bits. */
function plain<T extends { inputs?: readonly Tensor[]; outputs?: unknown }>(message: T): T {
  const bare = (tensors: unknown): unknown =>
    Array.isArray(tensors)
      ? tensors.map((each: Tensor) => (each.data === undefined ? each : { ...each, data: [...each.data] }))
      : tensors;
  return { ...message, inputs: bare(message.inputs), outputs: bare(message.outputs) };
}

describe("a message of inference", () => {
  it("says all of a request that is sent", () => {
    const requests: fc.Arbitrary<InferRequest> = fc.record(
      {
        id: fc.string({ minLength: 1 }),
        parameters,
        inputs: fc.array(tensor, { minLength: 1, maxLength: 3 }),
        outputs: fc.array(fc.record({ name: fc.string({ minLength: 1 }) }), { minLength: 1, maxLength: 3 }),
      },
      { requiredKeys: ["parameters", "inputs"] },
    );
    fc.assert(
      fc.property(requests, (request) => {
        const message = toGrpcRequest({ model: "m", version: "2" }, request);
        const read = asked.read(asked.write(message)) as GrpcInferRequest;
        expect(read).toMatchObject({ model_name: "m", model_version: "2" });
        expect(plain(fromGrpcRequest(read))).toEqual(plain(request));
      }),
    );
  });

  it("says all of an answer, raw or as lists of values", () => {
    const answers: fc.Arbitrary<InferResponse> = fc.record({
      modelName: fc.string({ minLength: 1 }),
      modelVersion: fc.constant("3"),
      id: fc.string({ minLength: 1 }),
      parameters,
      outputs: fc.array(tensor, { maxLength: 3 }),
    });
    fc.assert(
      fc.property(answers, fc.boolean(), (answer, isRaw) => {
        const bytes = answered.write(toGrpcResponse(answer, isRaw));
        const read = fromGrpcResponse(answered.read(bytes) as GrpcInferResponse);
        // A list of floats goes through numbers, which have one NaN.
        const floats = answer.outputs.some(({ datatype }) => datatype === "FP32" || datatype === "FP64");
        if (isRaw || !floats) expect(plain(read)).toEqual(plain(answer));
        else expect(read.outputs.map(({ shape }) => shape)).toEqual(answer.outputs.map(({ shape }) => shape));
      }),
    );
  });

  it("keeps a parameter of -0, which is no integer", () => {
    const request = { parameters: { zero: -0 }, inputs: [] };
    const read = asked.read(asked.write(toGrpcRequest({ model: "m" }, request))) as GrpcInferRequest;
    expect(fromGrpcRequest(read).parameters).toEqual({ zero: -0 });
  });

  it("keeps whole times doubles, so that a field has one type", () => {
    const message = toGrpcResponse(
      { modelName: "m", parameters: { rows: 3, spillway_waited_ms: 3 }, outputs: [] },
      true,
    );
    expect(message.parameters).toEqual({ rows: { int64_param: 3 }, spillway_waited_ms: { double_param: 3 } });
  });

  it("may have empty contents beside raw ones, as MLServer sends them", () => {
    const output = { name: "y", datatype: "FP32", shape: [1, 1], contents: {} };
    const message = answered.fromJson({
      model_name: "m",
      outputs: [output],
      raw_output_contents: ["AACAPw=="],
    });
    const { outputs } = fromGrpcResponse(message as GrpcInferResponse);
    expect(outputs).toMatchObject([{ name: "y", data: new Uint8Array([0, 0, 128, 63]) }]);
  });

  it.each([
    ["more bytes than its shape takes", { shape: [1, 2] }, /takes 8 bytes/],
    ["a negative dimension", { shape: [-1, 1] }, /is -1; allowed: integers from 0/],
    ["a dimension beyond every memory", { shape: ["9223372036854775807"] }, /allowed: integers from 0/],
  ])("is refused as an answer with %s", (_, part, error) => {
    const output = { name: "y", datatype: "FP32", ...part };
    const message = answered.fromJson({
      model_name: "m",
      outputs: [output],
      raw_output_contents: ["AACAPw=="],
    });
    expect(() => fromGrpcResponse(message as GrpcInferResponse)).toThrow(error);
  });

  it("never does anything but refuse, whatever the bytes are", () => {
    const valid = asked.write(
      toGrpcRequest(
        { model: "m" },
        {
          parameters: { a: 1 },
          inputs: [{ name: "x", datatype: "INT8", shape: [2], data: new Uint8Array(2) }],
        },
      ),
    );
    const changed = fc
      .array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
      .map((changes) => {
        const bytes = Buffer.from(valid);
        for (const [at, value] of changes) bytes[at] = value;
        return bytes;
      });
    fc.assert(
      fc.property(fc.oneof(changed, fc.uint8Array({ maxLength: 40 })), (bytes) => {
        let message: GrpcInferRequest;
        try {
          message = asked.read(bytes) as GrpcInferRequest;
        } catch {
          // The library answers for these.
          return;
        }
        try {
          fromGrpcRequest(message);
        } catch (error) {
          expect((error as Error).name).toBe("ProtocolError");
        }
      }),
    );
  });
});
