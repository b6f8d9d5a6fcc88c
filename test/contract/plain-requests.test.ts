/** Whatever is asked, edge and queue answer the same be the request read right on its socket or by Node's HTTP server. */
import { connect } from "node:net";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { conformanceRepository } from "./conformance-models.ts";
import { type RunningProgram, startProgram } from "./running-program.ts";

const infer = "/v2/models/identity/infer";
const input = { name: "IN_FP32", datatype: "FP32", shape: [1, 2] };
const body = JSON.stringify({ id: "a", inputs: [{ ...input, data: [1, 2] }] });
const header = JSON.stringify({
  inputs: [{ ...input, parameters: { binary_data_size: 8 } }],
  outputs: [{ name: "OUT_FP32", parameters: { binary_data: true } }],
});
const long = JSON.stringify({ inputs: [{ ...input, shape: [400, 2], data: Array<number>(800).fill(1) }] });

interface Asked {
  readonly path?: string;
  readonly host?: string;
  readonly lines?: readonly string[];
  readonly length?: number;
  readonly body?: string;
}

const requests: Record<string, Asked> = {
  "one row": {},
  "another version": { path: infer.replace("/infer", "/versions/1/infer") },
  "a version that is not there": { path: infer.replace("/infer", "/versions/9/infer") },
  "a model that is not there": { path: infer.replace("identity", "none") },
  "a path with an escape": { path: infer.replace("identity", "%69dentity") },
  "a path with a query": { path: `${infer}?a=b` },
  "a path that ends in a slash": { path: `${infer}/` },
  "what is asked by GET alone": { path: "/v2/models/identity" },
  "a binary tensor": {
    body: `${header}\0\0\0\0\0\0\0\0`,
    lines: [`Inference-Header-Content-Length: ${header.length}`],
  },
  "a length of the header beyond the body": { lines: ["Inference-Header-Content-Length: 9999"] },
  "a length of the header that is said twice": {
    lines: ["Inference-Header-Content-Length: 1", "Inference-Header-Content-Length: 1"],
  },
  "no body": { body: "" },
  "broken JSON": { body: "{" },
  "a wrong shape": { body: body.replace("[1,2]", "[1,3]") },
  "an answer that is packed": { body: long, lines: ["Accept-Encoding: gzip"] },
  "an answer that must not be packed": { body: long, lines: ["Accept-Encoding: gzip;q=0 , identity"] },
  "a coding that nobody knows": { lines: ["Content-Encoding: lzma"] },
  "a body that is too large": { body: "", length: 999_999_999_999 },
  "a page of another site": { lines: ["Origin: http://elsewhere.example"] },
  "a browser": { lines: ["Sec-Fetch-Site: cross-site"] },
  "a host with a name": { host: "elsewhere.example" },
  "an empty host": { host: "" },
  "a token that nobody gave": { lines: ["Authorization: Bearer nonsense"] },
  "a proxy before it": { lines: ["X-Forwarded-For: 192.0.2.1"] },
  "an unknown lane": { body: body.replace('"id"', '"parameters":{"spillway_lane":"none"},"id"') },
  "headers with odd letters": { lines: ["X-Odd: \u00e9\u00a0 \t", "x-odd:"] },
};

/** Leaves a request to Node's HTTP server, and means nothing to anybody. */
const leftToNode = "TE: trailers";

function bytesOf({ path = infer, host = "127.0.0.1", lines = [], body: own = body, length }: Asked): Buffer {
  const head = [
    `POST ${path} HTTP/1.1`,
    `Host: ${host}`,
    ...lines,
    `Content-Length: ${length ?? own.length}`,
  ];
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n${own}`, "latin1");
}

/** The answer, with what differs from call to call as `~`. */
async function answerOf(url: string, bytes: Buffer): Promise<string> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  const got: Buffer[] = [];
  socket.write(bytes);
  try {
    for await (const piece of socket as AsyncIterable<Buffer>) {
      got.push(piece);
      const all = Buffer.concat(got);
      const start = all.indexOf("\r\n\r\n") + 4;
      if (start < 4) continue;
      const head = all.toString("latin1", 0, start);
      const sent = all.subarray(start);
      if (sent.length < Number(/^content-length: (\d+)/im.exec(head)?.[1])) continue;
      return masked(head, /content-encoding: gzip/.test(head) ? gunzipSync(sent) : sent);
    }
    return Buffer.concat(got).toString("latin1");
  } finally {
    socket.destroy();
  }
}

function masked(head: string, sent: Buffer): string {
  return `${head
    .replace(/^Date: .*/m, "Date: ~")
    .replace(/^((?:inference-header-)?content-length): .*/gim, "$1: ~")
    .replace(/^(spillway-request-id): .*/im, "$1: ~")}${sent
    .toString("latin1")
    .replaceAll(/_ms":[0-9.e-]+/g, '_ms":~')
    .replace(/ +(?=\0)/, "")}`;
}

let edge: RunningProgram;
let queue: RunningProgram;
beforeAll(async () => {
  edge = await startProgram("edge", ["--models", conformanceRepository(), "--load", "identity"]);
  queue = await startProgram("vqueue", [
    "--edge",
    edge.url,
    "--no-serverless",
    "--calibrate",
    "0",
    "--slo",
    "10",
  ]);
});
afterAll(async () => {
  await queue.stop();
  await edge.stop();
});

describe.each(["edge", "queue"])("the %s answers the same to", { tags: ["slow"] }, (program) => {
  it.each(Object.entries(requests))("%s", async (_, asked) => {
    const { url } = program === "edge" ? edge : queue;
    const left = { ...asked, lines: [...(asked.lines ?? []), leftToNode] };
    const answer = await answerOf(url, bytesOf(asked));
    expect(answer).toMatch(/^HTTP\/1\.1 \d{3} /);
    expect(answer).toBe(await answerOf(url, bytesOf(left)));
  });
});
