/** Frames between server and replica, however the bytes are cut on their way. */
import { Buffer } from "node:buffer";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dataPieces, pieceTensor, type Tensor } from "../../../protocol/tensor.ts";
import { FrameReader } from "./frame-reader.ts";
import { FrameError, type Framed, framePieces } from "./frames.ts";

const data = fc.uint8Array({ maxLength: 64 });
const tensor: fc.Arbitrary<Tensor> = fc
  .record({
    name: fc.string({ maxLength: 8 }),
    pieces: fc.array(data, { maxLength: 4 }),
    shape: fc.array(fc.nat(9), { maxLength: 3 }),
    parameters: fc.option(fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.bigInt(), fc.constant(-0))), {
      nil: undefined,
    }),
  })
  .map(({ name, pieces, shape, parameters }) =>
    pieceTensor({ name, datatype: "UINT8", shape, ...(parameters !== undefined && { parameters }) }, pieces),
  );
const message = fc.record({
  plain: fc.record({ kind: fc.string(), rows: fc.array(fc.nat(9)) }),
  tensors: fc.array(tensor, { maxLength: 4 }),
});

/** With data in one piece, for comparing. */
function told({ plain, tensors }: Framed<unknown>): unknown {
  return {
    plain,
    tensors: tensors.map(({ data: bytes, ...about }) => ({
      ...about,
      data: Buffer.from(bytes).toString("hex"),
    })),
  };
}

function bytesOf(messages: readonly Framed<unknown>[]): Buffer {
  return Buffer.concat(messages.flatMap((each) => framePieces(each, true)));
}

describe("messages come out as they went in", () => {
  it("cut anywhere, in memory of their own", () => {
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 4 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 90 })),
        (sent, cuts) => {
          const all = bytesOf(sent);
          const came: unknown[] = [];
          const reader = new FrameReader((each) => came.push(told(each)));
          for (let at = 0; at < all.length;) {
            const end = Math.min(all.length, at + (cuts.next().value as number));
            reader.push(Uint8Array.from(all.subarray(at, end)));
            at = end;
          }
          expect(came).toEqual(sent.map(told));
        },
      ),
    );
  });

  it("written into given memory, as much at a time as fits or comes", () => {
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 4 }),
        fc.integer({ min: 1, max: 200 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 90 })),
        (sent, scratchBytes, sizes) => {
          const all = bytesOf(sent);
          const came: Framed<unknown>[] = [];
          const reader = new FrameReader<unknown>((each) => came.push(each), scratchBytes);
          for (let at = 0; at < all.length;) {
            const space = reader.space();
            const bytes = Math.min(space.length, all.length - at, sizes.next().value as number);
            space.set(all.subarray(at, at + bytes));
            reader.took(bytes);
            at += bytes;
          }
          // Compared at the end, when the given memory has been written over.
          expect(came.map(told)).toEqual(sent.map(told));
        },
      ),
    );
  });

  it("with large data, which is not copied before it is sent", () => {
    const pieces = [
      new Uint8Array(70_000).fill(1),
      new Uint8Array(3).fill(2),
      new Uint8Array(50_000).fill(3),
    ];
    const tensors = [pieceTensor({ name: "x", datatype: "UINT8", shape: [120_003] }, pieces)];
    const sent = framePieces({ plain: {}, tensors }, true);
    expect(pieces.every((piece) => sent.some((each) => each === piece))).toBe(true);
    const came: unknown[] = [];
    const reader = new FrameReader((each) => came.push(told(each)));
    for (const piece of sent) reader.push(piece);
    expect(came).toEqual([told({ plain: {}, tensors })]);
  });
});

it("gives tensors that 64-bit elements can be read from in place", () => {
  const tensors = [3, 8, 1, 16].map((bytes) => {
    return { name: `${bytes}`, datatype: "UINT8", shape: [bytes], data: new Uint8Array(bytes) } as const;
  });
  const came: Framed<unknown>[] = [];
  const reader = new FrameReader<unknown>((each) => came.push(each));
  const all = bytesOf([{ plain: { kind: "run" }, tensors }]);
  reader.push(Uint8Array.from(all.subarray(0, 20)));
  reader.push(Uint8Array.from(all.subarray(20)));
  expect(came[0]?.tensors.map((each) => (dataPieces(each)[0]?.byteOffset ?? 1) % 8)).toEqual([0, 0, 0, 0]);
});

describe("what is no frame", () => {
  it("is refused, whatever it is", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 64 }), (bytes) => {
        const reader = new FrameReader(() => expect.unreachable());
        expect(() => reader.push(bytes)).toThrow(FrameError);
      }),
    );
  });

  it("is refused when lengths in a head are beyond its data", () => {
    const [good] = framePieces({ plain: { kind: "run" }, tensors: [] }, true) as [Buffer];
    const text = Buffer.from('{"plain":{},"tensors":[["x","UINT8",[9],9]]}');
    const bad = Buffer.concat([good.subarray(0, 16), text, Buffer.alloc(8)]);
    bad.writeUInt32LE(text.length, 4);
    expect(() => new FrameReader(() => expect.unreachable()).push(bad)).toThrow(/x has 9 bytes; 0 are left/);
  });
});
