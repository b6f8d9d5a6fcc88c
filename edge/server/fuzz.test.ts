/** Whatever is sent to the endpoints and decoders, the answer blames the sender (4xx), and comes soon. */
import fc from "fast-check";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { decodeInferRequest, decodeInferResponse } from "../../protocol/decode.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { tensorFromNumbers } from "../../protocol/tensor.ts";
import { headerLength } from "../../protocol/v2-http.ts";
import { identityModel, putModel } from "../../test/contract/conformance-models.ts";
import { createEdgeApp } from "./app.ts";
import { inProcessRunner } from "../models/in-process-runner.ts";
import { StatisticsBook } from "../observe/model-statistics.ts";
import { findModels } from "../models/repository.ts";

const repository = mkdtempSync(join(tmpdir(), "spillway-fuzz-"));
putModel(repository, "id", "1", identityModel(["FP32"], [-1]));
const app = createEdgeApp({
  models: findModels(repository).map((model) => inProcessRunner(model, 1)),
  log: pino({ level: "silent" }),
  maxBodyBytes: 2 ** 20,
  statistics: new StatisticsBook(),
});
const seed = 20_261;
const numRuns = 400;

const valid = encodeInferRequest(
  {
    id: "x",
    parameters: { priority: 1 },
    inputs: [tensorFromNumbers("IN_FP32", "FP32", [2, 2], [1, 2, 3, 4])],
  },
  { binary: true },
);
/** A valid binary request with some of its bytes changed, removed or put in. */
const mutated = fc
  .array(fc.tuple(fc.nat(valid.body.length - 1), fc.constantFrom("set", "cut", "put"), fc.nat(255)), {
    maxLength: 6,
  })
  .map((changes) => {
    const bytes = [...valid.body];
    for (const [at, how, value] of changes)
      bytes.splice(at, how === "put" ? 0 : 1, ...(how === "cut" ? [] : [value]));
    return Uint8Array.from(bytes);
  });
const json = fc.jsonValue({ maxDepth: 6 });
const tensorLike = fc.record(
  {
    name: fc.oneof(fc.constant("IN_FP32"), fc.string(), json),
    datatype: fc.oneof(fc.constantFrom("FP32", "INT64", "BYTES", "BOOL"), json),
    shape: fc.oneof(
      fc.array(fc.oneof(fc.integer(), fc.double(), fc.maxSafeInteger()), { maxLength: 40 }),
      json,
    ),
    data: fc.oneof(fc.array(fc.oneof(fc.double(), fc.string()), { maxLength: 20 }), json),
    parameters: fc.oneof(fc.dictionary(fc.string(), json), json),
  },
  { requiredKeys: [] },
);
const requestLike = fc
  .record(
    { id: json, inputs: fc.oneof(fc.array(tensorLike), json), outputs: json, parameters: json },
    { requiredKeys: [] },
  )
  .map((request) => new TextEncoder().encode(JSON.stringify(request)));
const body = fc.oneof(fc.uint8Array({ maxLength: 2_000 }), mutated, requestLike);

describe("the decoders", () => {
  it.each([
    ["request", decodeInferRequest],
    ["response", decodeInferResponse],
  ])("take a %s or throw a ProtocolError with a 4xx, whatever the bytes", (_, decode) => {
    const length = fc.option(fc.oneof(fc.nat(3_000), fc.constant(valid.headerBytes ?? 0)), {
      nil: undefined,
    });
    fc.assert(
      fc.property(body, length, (bytes, headerBytes) => {
        try {
          decode(bytes, headerBytes);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
          expect(Math.floor((error as ProtocolError).status / 100)).toBe(4);
        }
      }),
      { seed, numRuns: 2_000 },
    );
  });

  it("keep to the memory of what they read", () => {
    const before = process.memoryUsage();
    const claims = [
      `{"inputs":[{"name":"a","datatype":"FP32","shape":[2147483647],"data":[]}]}`,
      `{"inputs":[{"name":"a","datatype":"BYTES","shape":[2147483647],"data":[""]}]}`,
      `{"inputs":[{"name":"a","datatype":"FP64","shape":[2147483647],"parameters":{"binary_data_size":17179869176}}]}`,
    ].map((text) => new TextEncoder().encode(text));
    for (let round = 0; round < 200; round++) {
      for (const claim of claims)
        expect(() => decodeInferRequest(claim, claim.length)).toThrow(ProtocolError);
    }
    const after = process.memoryUsage();
    expect(after.arrayBuffers + after.external - before.arrayBuffers - before.external).toBeLessThan(
      64 * 2 ** 20,
    );
  });
});

const segment = fc.oneof(
  fc.constantFrom(
    "v2",
    "models",
    "id",
    "infer",
    "versions",
    "1",
    "repository",
    "stats",
    "config",
    "health",
    "ready",
    "..",
  ),
  fc.string({ maxLength: 10 }).map(encodeURIComponent),
  fc.constantFrom("%", "%zz", "%00", "%2e%2e", "%2f", ";", "*", ":model"),
);
const headers = fc.record(
  {
    [headerLength]: fc.oneof(
      fc.nat(2_000).map(String),
      fc.constantFrom("-1", "1.5", "0x10", "9".repeat(30), " "),
    ),
    "content-encoding": fc.constantFrom("gzip", "deflate", "br", "identity", "gzip, gzip", "constructor"),
    "accept-encoding": fc.constantFrom("gzip", "deflate;q=0", "*", ";;;,", "gzip;q=nonsense"),
    "content-type": fc.constantFrom("application/json", "application/octet-stream", "multipart/form-data"),
  },
  { requiredKeys: [] },
);

it("the endpoints answer 2xx or 4xx with JSON, whatever the path, method, headers and body", async () => {
  const path = fc.array(segment, { maxLength: 8 }).map((segments) => `/${segments.join("/")}`);
  const paths = fc.oneof({ weight: 2, arbitrary: fc.constant("/v2/models/id/infer") }, path);
  const methods = fc.oneof(
    { weight: 4, arbitrary: fc.constant("POST") },
    fc.constantFrom("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"),
  );
  await fc.assert(
    fc.asyncProperty(paths, methods, headers, body, async (to, method, given, bytes) => {
      const hasBody = method !== "GET" && method !== "HEAD";
      const response = await app.request(to, {
        method,
        headers: given,
        ...(hasBody && { body: bytes as Uint8Array<ArrayBuffer> }),
      });
      expect([2, 4]).toContain(Math.floor(response.status / 100));
      const text = await response.text();
      if (response.status >= 400 && method !== "HEAD" && !response.headers.has("content-encoding")) {
        expect(JSON.parse(text)).toEqual({ error: expect.any(String) });
      }
    }),
    { seed, numRuns },
  );
});
