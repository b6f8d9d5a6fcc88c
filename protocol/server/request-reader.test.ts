/** Requests read by their known heads are the same as those read from scratch. */
import { Buffer } from "node:buffer";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeInferRequest } from "../decode.ts";
import { encodeInferRequest } from "../encode.ts";
import { ProtocolError } from "../errors.ts";
import type { InferRequest } from "../message.ts";
import { inputsKey, stackKey } from "../stack.ts";
import type { Tensor } from "../tensor.ts";
import { Pieces } from "./body-parts.ts";
import { RequestReader } from "./request-reader.ts";

const reader = new RequestReader();

/** What a request says, with its data in one piece. */
function told({ id, parameters, inputs, outputs }: InferRequest): object {
  const tensors = inputs.map(({ data, ...about }) => ({ ...about, data: Buffer.from(data).toString("hex") }));
  return { id, parameters, inputs: tensors, outputs };
}

function cut(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const ends = [...new Set(at.map((each) => each % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...ends, bytes.length].map((end, index) => bytes.slice(ends[index - 1] ?? 0, end));
}

const tensor = fc
  .record({
    name: fc.constantFrom("x", "y", "z"),
    rows: fc.nat(3),
    type: fc.constantFrom("UINT8" as const, "BOOL" as const, "INT32" as const),
  })
  .map(({ name, rows, type }): Tensor => {
    const bytes = type === "INT32" ? 4 : 1;
    return { name, datatype: type, shape: [rows], data: new Uint8Array(rows * bytes).fill(1) };
  });
const request = fc.record({
  id: fc.option(fc.constantFrom("a", "b-2", "c d", 'quoted"', "é"), { nil: undefined }),
  parameters: fc.constantFrom({}, { priority: 3 }, { id: "inner" }),
  inputs: fc.uniqueArray(tensor, { selector: ({ name }) => name, minLength: 1, maxLength: 3 }),
});

it("whatever came before, and however the body is cut", () => {
  fc.assert(
    fc.property(request, fc.array(fc.nat(), { maxLength: 3 }), fc.nat(255), (sent, cuts, byte) => {
      const { body, headerBytes = 0 } = encodeInferRequest(sent, { binary: true });
      // Other data with the same head; BOOL may not be it.
      body.fill(byte, headerBytes);
      const read = (): object => told(reader.read({ parts: cut(body, cuts), headerBytes }));
      let wanted: object | undefined;
      try {
        wanted = told(decodeInferRequest(body, headerBytes));
      } catch {
        expect(read).toThrow(ProtocolError);
      }
      if (wanted !== undefined) for (let time = 0; time < 2; time++) expect(read()).toEqual(wanted);
    }),
  );
});

describe("a head that is known", () => {
  const sent = {
    parameters: {},
    inputs: [{ name: "x", datatype: "UINT8", shape: [2], data: Uint8Array.of(1, 2) }],
  } as InferRequest;
  const { body, headerBytes = 0 } = encodeInferRequest({ ...sent, id: "a" }, { binary: true });

  it("is refused with another length of the body, as one that is not known", () => {
    reader.read({ parts: [body], headerBytes });
    for (const bytes of [body.subarray(0, body.length - 1), Buffer.concat([body, Buffer.of(1)])]) {
      expect(() => reader.read({ parts: [bytes], headerBytes })).toThrow(ProtocolError);
    }
  });

  it("gives requests that share what follows from it", () => {
    const [a, b] = ["a", "b"].map((id) => {
      const wire = encodeInferRequest({ ...sent, id }, { binary: true });
      return reader.read({ parts: [wire.body], headerBytes: wire.headerBytes ?? 0 });
    });
    expect([a?.id, b?.id]).toEqual(["a", "b"]);
    expect(a?.template).toBeDefined();
    expect(b?.template).toBe(a?.template);
    const fresh = decodeInferRequest(body, headerBytes);
    expect(stackKey(b as InferRequest)).toBe(stackKey(fresh));
    expect(inputsKey(b as InferRequest)).toBe(inputsKey(fresh));
  });

  it("is read from scratch when a second id follows", () => {
    const text =
      '{"id":"a","inputs":[{"name":"x","datatype":"UINT8","shape":[1],"parameters":{"binary_data_size":1}}],"id":"b"}';
    for (let time = 0; time < 2; time++) {
      const parts = [Buffer.concat([Buffer.from(text), Buffer.of(1)])];
      expect(reader.read({ parts, headerBytes: text.length }).id).toBe("b");
    }
  });
});

describe("pieces of a body", () => {
  it("are the body when they are put together, and few however small they came", () => {
    const sizes = fc.array(
      fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 15_000, max: 40_000 })),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(sizes, (lengths) => {
        const came = lengths.map((length, index) => new Uint8Array(length).fill(index + 1));
        const all = Buffer.concat(came);
        const pieces = new Pieces(all.length);
        for (const piece of came) pieces.add(piece);
        expect(Buffer.concat(pieces.all).equals(all)).toBe(true);
        expect(pieces.all.length).toBeLessThanOrEqual(2 * (1 + all.length / 15_000));
      }),
      { numRuns: 50 },
    );
  });

  it("that are large stay where they are", () => {
    const pieces = new Pieces(100_000);
    const large = new Uint8Array(65_536);
    pieces.add(large);
    expect(pieces.all).toEqual([large]);
    expect(pieces.all[0]).toBe(large);
  });
});
