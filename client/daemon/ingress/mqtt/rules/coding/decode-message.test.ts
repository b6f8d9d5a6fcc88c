import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { deflateRawSync, deflateSync, gunzipSync, gzipSync, inflateRawSync, inflateSync } from "node:zlib";
import { expect, it } from "vitest";
import {
  compiledRule,
  faultOf,
  numbersIn,
  plantMessage,
  publicationFor,
  requestFor,
  type RuleTestOptions,
} from "../../../../../../test/support/mqtt-rules.ts";
import { hasZstd } from "./compress.ts";

const text = Buffer.from(JSON.stringify({ x: 5 }));
const key = Buffer.alloc(32, 7);
const other = Buffer.alloc(32, 8);
const keys: RuleTestOptions = {
  keyOf: (_, device) => (device === "press-2" ? key : device === "press-3" ? other : undefined),
};

function sealed(bytes: Uint8Array, by: Uint8Array = key): Buffer {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", by, nonce);
  return Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
}

function opened(bytes: Uint8Array, by: Uint8Array = key): Buffer {
  const decipher = createDecipheriv("aes-256-gcm", by, bytes.subarray(0, 12));
  decipher.setAuthTag(bytes.subarray(-16));
  return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]);
}

const answered = { id: "id-1", rule: "rule-0", model: "m", outputs: { y: [[0.5]] } };
const encryption = { encryption: "aes-256-gcm", keys: { env: "KEYS" } };

it.each([
  ["gzip", gzipSync, gunzipSync],
  ["deflate", deflateSync, inflateSync],
  ["deflate", deflateRawSync, inflateRawSync],
  ["auto", gzipSync, gunzipSync],
] as const)("reads %s, and answers likewise", (compression, pack, unpack) => {
  const rule = compiledRule({ coding: { compression } });
  const message = plantMessage(pack(text));
  expect(rule.matches(message)).toBe(true);
  expect(numbersIn(requestFor(rule, message))).toEqual([5]);
  expect(JSON.parse(unpack(publicationFor(rule, message).payload).toString())).toEqual(answered);
  const plain = compiledRule({ coding: { compression, answer: "none" } });
  expect(JSON.parse(Buffer.from(publicationFor(plain, message).payload).toString())).toEqual(answered);
});

it("takes with auto what is not compressed as it is", () => {
  const rule = compiledRule({ coding: { compression: "auto" } });
  expect(numbersIn(requestFor(rule, plantMessage(text)))).toEqual([5]);
});

it("knows zstd where Node does, and else says so when the rules are read", async () => {
  const rule = { coding: { compression: "zstd" } };
  if (!hasZstd) {
    expect(() => compiledRule(rule)).toThrow(/coding\.compression is zstd, which this Node cannot decode/);
    return;
  }
  const { zstdCompressSync, zstdDecompressSync } = (await import("node:zlib")) as unknown as Record<
    string,
    (bytes: Uint8Array) => Buffer
  >;
  const message = plantMessage(zstdCompressSync!(text));
  expect(numbersIn(requestFor(compiledRule(rule), message))).toEqual([5]);
  expect(
    JSON.parse(zstdDecompressSync!(publicationFor(compiledRule(rule), message).payload).toString()),
  ).toEqual(answered);
  const bomb = plantMessage(zstdCompressSync!(Buffer.alloc(2 ** 25)));
  expect(faultOf(compiledRule(rule), bomb)).toMatch(
    /^too_large: the payload decodes to more than 16777216 bytes/,
  );
});

it("decodes no more than it may", () => {
  const bomb = plantMessage(gzipSync(Buffer.alloc(2 ** 25)));
  expect(bomb.payload.length).toBeLessThan(2 ** 16);
  expect(faultOf(compiledRule({ coding: { compression: "gzip" } }), bomb)).toBe(
    "too_large: the payload decodes to more than 16777216 bytes",
  );
});

it.each<[string, Uint8Array]>([
  ["gzip", text],
  ["gzip", gzipSync(text).subarray(0, 12)],
  ["deflate", Buffer.from("no deflate")],
  ["gzip", Buffer.alloc(0)],
])("refuses what is not %s", (compression, payload) => {
  expect(faultOf(compiledRule({ coding: { compression } }), plantMessage(payload))).toMatch(
    /^not_decodable: /,
  );
});

it("decrypts with the key of the device, and encrypts the answer with it and a nonce of its own", () => {
  const rule = compiledRule({ device: "topic[1]", coding: { compression: "gzip", ...encryption } }, keys);
  const message = plantMessage(sealed(gzipSync(text)));
  expect(numbersIn(requestFor(rule, message))).toEqual([5]);
  const first = publicationFor(rule, message).payload;
  const second = publicationFor(rule, message).payload;
  expect(JSON.parse(gunzipSync(opened(first)).toString())).toEqual({ ...answered, device: "press-2" });
  expect(first.subarray(0, 12)).not.toEqual(second.subarray(0, 12));
});

it("refuses other keys, changed bytes, unknown devices and what is too short", () => {
  const rule = compiledRule({ device: "topic[1]", coding: encryption }, keys);
  const good = sealed(text);
  expect(rule.matches(plantMessage(good))).toBe(true);
  for (const at of [0, 12, good.length - 1]) {
    const changed = Buffer.from(good);
    changed[at]! ^= 1;
    expect(faultOf(rule, plantMessage(changed))).toMatch(/^not_decodable: /);
  }
  expect(faultOf(rule, plantMessage(good, { topic: "in/press-3" }))).toMatch(/^not_decodable: /);
  expect(faultOf(rule, plantMessage(good, { topic: "in/press-4" }))).toMatch(/^no_key: .*press-4/);
  expect(faultOf(rule, plantMessage(good.subarray(0, 27)))).toMatch(/^not_decodable: .*27 bytes/);
  expect(faultOf(rule, plantMessage(text))).toMatch(/^not_decodable: /);
});

it("sends no error result in the clear where messages are encrypted", () => {
  const rule = compiledRule({ device: "topic[1]", coding: encryption }, keys);
  const fault = { kind: "error", code: "not_decodable", text: "changed" } as const;
  const { payload } = publicationFor(rule, plantMessage(text), fault);
  expect(JSON.parse(opened(payload).toString())).toMatchObject({ error: { code: "not_decodable" } });
  expect(rule.result(plantMessage(text, { topic: "in/press-4" }), fault, "id-1")).toMatchObject({
    kind: "none",
    fault: { reason: "no_key" },
  });
});

it("lets a device say whether a part of its message is coded, and codes that part of the answer", () => {
  const rule = compiledRule(
    {
      device: "data.deviceInfo.deviceName",
      inputs: [{ name: "x", values: ["data.telemetry.x"] }],
      coding: {
        part: "data.telemetry",
        compression: "gzip",
        compressedIf: "data.deviceInfo.compression",
        encryptedIf: "data.deviceInfo.encryption",
        answerPart: "outputs",
        ...encryption,
      },
    },
    keys,
  );
  const of = (compression: unknown, isEncrypted: boolean, telemetry: unknown) =>
    plantMessage({ deviceInfo: { deviceName: "press-2", compression, encryption: isEncrypted }, telemetry });
  const base64 = (bytes: Buffer) => bytes.toString("base64");
  const outputsOf = (message: ReturnType<typeof of>): unknown => {
    expect(numbersIn(requestFor(rule, message))).toEqual([5]);
    return (JSON.parse(Buffer.from(publicationFor(rule, message).payload).toString()) as { outputs: unknown })
      .outputs;
  };
  expect(outputsOf(of(false, false, { x: 5 }))).toEqual(answered.outputs);
  const packed = outputsOf(of(true, false, base64(gzipSync(text)))) as string;
  expect(JSON.parse(gunzipSync(Buffer.from(packed, "base64")).toString())).toEqual(answered.outputs);
  const named = outputsOf(of("deflate", false, base64(deflateSync(text)))) as string;
  expect(JSON.parse(inflateSync(Buffer.from(named, "base64")).toString())).toEqual(answered.outputs);
  const secret = outputsOf(of(true, true, base64(sealed(gzipSync(text))))) as string;
  expect(JSON.parse(gunzipSync(opened(Buffer.from(secret, "base64"))).toString())).toEqual(answered.outputs);
  expect(faultOf(rule, of(true, false, { x: 5 }))).toMatch(
    /^not_decodable: data\.telemetry is an object; allowed: a text in base64/,
  );
  expect(faultOf(rule, of("lz4", false, "AAAA"))).toMatch(
    /^not_decodable: .*"lz4"; allowed: true, false, none, gzip/,
  );
});

it("goes by user properties where the whole payload is coded", () => {
  const compressedIf = 'properties["content-encoding"]';
  const rule = compiledRule({ coding: { compression: "gzip", compressedIf } });
  const userProperties = { "content-encoding": "deflate" };
  const message = plantMessage(deflateSync(text), { properties: { userProperties } });
  expect(numbersIn(requestFor(rule, message))).toEqual([5]);
  expect(numbersIn(requestFor(rule, plantMessage(text)))).toEqual([5]);
});
