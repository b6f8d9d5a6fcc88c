import { Buffer } from "node:buffer";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { maxHeadBytes, packCall, packReply, unpackCall, unpackReply } from "./envelope.ts";
import { ProtocolError } from "./errors.ts";
import type { WireBody } from "./message.ts";

const wire: fc.Arbitrary<WireBody> = fc
  .tuple(fc.uint8Array({ maxLength: 100 }), fc.option(fc.nat(), { nil: undefined }))
  .map(([body, header]) =>
    header === undefined ? { body } : { body, headerBytes: header % (body.length + 1) },
  );

test("a call comes out as it went in", () => {
  const call = fc.record(
    { model: fc.string({ minLength: 1, unit: "binary" }), version: fc.string(), wire },
    { requiredKeys: ["model", "wire"] },
  );
  fc.assert(
    fc.property(call, (value) => {
      expect(unpackCall(packCall(value))).toEqual(value);
    }),
  );
});

test("a reply comes out as it went in", () => {
  const reply = fc.record({ status: fc.integer({ min: 100, max: 599 }), wire });
  fc.assert(
    fc.property(reply, (value) => {
      expect(unpackReply(packReply(value))).toEqual(value);
    }),
  );
});

test("the body is at a multiple of eight bytes and is not copied", () => {
  const frame = packCall({ model: "ocr", wire: { body: Uint8Array.of(1) } });
  const { body } = unpackCall(frame).wire;
  expect(body.byteOffset % 8).toBe(0);
  expect(body.buffer).toBe(frame.buffer);
});

function frame(head: string, body = "", headBytes = Buffer.byteLength(head)): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(headBytes);
  return Buffer.concat([length, Buffer.from(head), Buffer.from(body)]);
}

test.each([
  [Uint8Array.of(1, 2), "call frame has 2 bytes; allowed: 4 or more"],
  [frame("", "", maxHeadBytes + 1), "call head has 16385 bytes; allowed: at most 16384"],
  [frame("{}", "", 9), "call frame says its head has 9 bytes; 2 bytes are left"],
  [frame("{"), "call head is not valid JSON"],
  [frame("[]"), "call head is an array of 0"],
  [frame("{}"), "call head.model is missing; allowed: a non-empty string"],
  [frame('{"model":""}'), 'call head.model is ""'],
  [frame('{"model":"m","version":1}'), "call head.version is 1"],
  [
    frame('{"model":"m","headerBytes":3}', "ab"),
    "call head.headerBytes is 3; allowed: an integer from 0 to 2",
  ],
])("a bad call is refused by what is wrong (%#)", (bytes, message) => {
  expect(() => unpackCall(bytes)).toThrow(message);
});

test("a reply needs a status of HTTP, and a call is no reply", () => {
  expect(() => unpackReply(frame('{"status":700}'))).toThrow(
    "reply head.status is 700; allowed: an integer from 100",
  );
  expect(() => unpackReply(packCall({ model: "m", wire: { body: new Uint8Array() } }))).toThrow(
    "status is missing",
  );
});

test("what could not be unpacked is not packed", () => {
  const body = new Uint8Array(2);
  expect(() => packCall({ model: "", wire: { body } })).toThrow("model");
  expect(() => packCall({ model: "m", version: "v".repeat(maxHeadBytes), wire: { body } })).toThrow(
    "at most 16384",
  );
  expect(() => packCall({ model: "m", wire: { body, headerBytes: 3 } })).toThrow("headerBytes is 3");
  expect(() => packReply({ status: 0, wire: { body } })).toThrow("status is 0");
});

test("random and changed frames are unpacked or refused by name", () => {
  const changed = fc.tuple(wire, fc.nat(), fc.nat(255), fc.nat(200)).map(([body, at, byte, kept]) => {
    const bytes = packCall({ model: "model", version: "1", wire: body }).slice(0, kept);
    if (bytes.length > 0) bytes[at % bytes.length] = byte;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), changed), (bytes) => {
      for (const unpack of [unpackCall, unpackReply]) {
        try {
          unpack(bytes);
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error;
          expect(error.status).toBe(400);
        }
      }
    }),
    { numRuns: 3000 },
  );
});
