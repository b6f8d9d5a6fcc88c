// @module-tag slow
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { elementsOfBytes } from "../../../../protocol/bytes-elements.ts";
import { encodeInferRequest } from "../../../../protocol/encode.ts";
import type { InferRequest } from "../../../../protocol/message.ts";
import { tensorFromNumbers, tensorToNumbers } from "../../../../protocol/tensor.ts";
import { headerLength } from "../../../../protocol/v2-http.ts";
import { eventually } from "../../../../test/support/built.ts";
import { smallDaemon, type SmallDaemonOptions } from "../../../../test/support/small-daemon.ts";
import { tinyZip } from "../../../../test/support/tiny-zip.ts";
import { createV2Ingress } from "../v2.ts";
import { Jobs, type JobsOptions } from "./jobs.ts";

const doubles = {
  name: "double",
  inputs: [{ name: "x", datatype: "FP32" as const, shape: [-1] }],
  outputs: [{ name: "y", datatype: "FP32" as const, shape: [-1] }],
};

/** Doubles numbers; a call with a negative one is refused, one with NaN gives NaN. */
function doubled({ inputs: [x] }: InferRequest) {
  const values = x === undefined ? [] : [...tensorToNumbers(x)];
  if (values.some((value) => value < 0)) return { status: 400, error: "a negative number is in it" };
  return [
    tensorFromNumbers(
      "y",
      "FP32",
      [values.length],
      values.map((value) => 2 * value),
    ),
  ];
}

interface Line {
  readonly row: number;
  readonly rows: number;
  readonly line?: number;
  readonly name?: string;
  readonly id?: string;
  readonly error?: string;
  readonly code?: string;
  readonly outputs?: readonly { readonly data: readonly number[] }[];
}

let opened: Jobs[] = [];
beforeEach(() => (opened = []));
afterEach(() => Promise.all(opened.map((jobs) => jobs.close())));

async function appOf(options: Partial<SmallDaemonOptions> = {}, bounds: Partial<JobsOptions> = {}) {
  const small = await smallDaemon({ metadata: doubles, serve: doubled, ...options });
  const { daemon } = small;
  const jobs = new Jobs({
    daemon,
    mostJobs: 8,
    mostBytes: 2 ** 24,
    keepMs: 60_000,
    timeoutMs: 20_000,
    mostRows: 64,
    ...bounds,
  });
  opened.push(jobs);
  const app = createV2Ingress(daemon, { maxBodyBytes: 2 ** 20, onFault: () => {}, jobs });
  const path = `/v2/models/${small.daemon.models.known[0] ?? ""}/jobs`;
  const post = async (body: string | Uint8Array, headers: Record<string, string> = {}) => {
    const answer = await app.request(path, { method: "POST", body: body as string, headers });
    return { status: answer.status, headers: answer.headers, json: (await answer.json()) as Status };
  };
  const get = async (url: string, accept = "application/json", headers = {}) =>
    app.request(url, { headers: { accept, ...headers } });
  const status = async (url: string): Promise<Status> => (await get(url)).json() as Promise<Status>;
  /** All lines, once the job has ended. */
  const linesOf = async (url: string): Promise<Line[]> =>
    (await (await get(url, "application/x-ndjson")).text())
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Line);
  return { ...small, jobs, app, post, get, status, linesOf };
}

interface Status {
  readonly id: string;
  readonly url: string;
  readonly state: string;
  readonly rows: number;
  readonly done: number;
  readonly failed: number;
  readonly served_by: Record<string, number>;
  readonly error?: string;
  readonly next: number;
  readonly results: readonly Line[];
}

const numbers = (count: number): string => Array.from({ length: count }, (_, row) => `${row}\n`).join("");
const ofLines = { "content-type": "application/x-ndjson" };

function requestOf(values: readonly number[]): string {
  return JSON.stringify({
    id: "all",
    inputs: [{ name: "x", datatype: "FP32", shape: [values.length], data: values }],
  });
}

describe("a job", () => {
  it("answers at once with its URL, and gives a line for each row, in order", async () => {
    const { post, status, linesOf, calls } = await appOf();
    const { status: code, headers, json } = await post(numbers(1_000), ofLines);
    expect([code, headers.get("location"), json.url]).toEqual([
      202,
      json.url,
      `/v2/models/double/jobs/${json.id}`,
    ]);
    const lines = await linesOf(json.url);
    expect(lines.map(({ row, line, outputs }) => [row, line, outputs?.[0]?.data])).toEqual(
      Array.from({ length: 1_000 }, (_, row) => [row, row + 1, [2 * row]]),
    );
    expect(await status(json.url)).toMatchObject({
      state: "done",
      rows: 1_000,
      done: 1_000,
      failed: 0,
      served_by: { edge: 1_000 },
    });
    expect(Math.max(...calls)).toBeGreaterThan(1);
  });

  it("takes one large request, cut into few rows each where the model treats rows apart", async () => {
    const { post, linesOf } = await appOf();
    const { json } = await post(requestOf(Array.from({ length: 21 }, (_, row) => row)));
    const lines = await linesOf(json.url);
    expect(lines.map(({ row, rows }) => [row, rows])).toEqual([
      [0, 8],
      [8, 8],
      [16, 5],
    ]);
    expect(lines.flatMap(({ outputs }) => outputs?.[0]?.data)).toEqual(
      Array.from({ length: 21 }, (_, row) => 2 * row),
    );
  });

  it("sends lines together that may be joined, and finds each its answer", async () => {
    const { post, linesOf, queue } = await appOf();
    const x = (shape: number[], data: number[], more = {}) =>
      JSON.stringify({
        id: `of ${data[0]}`,
        inputs: [{ name: "x", datatype: "FP32", shape, data }],
        ...more,
      });
    const urgent = { parameters: { priority: 2 } };
    const lines = [
      "1",
      "2",
      x([1], [3]),
      x([5], [4, 4, 4, 4, 4]),
      "5",
      x([1], [6], urgent),
      x([1], [7], urgent),
      x([1], [8], { outputs: [{ name: "y" }] }),
    ];
    const { json } = await post(lines.join("\n"), ofLines);
    const results = await linesOf(json.url);
    expect(
      results.map(({ row, rows, line, id, outputs }) => [row, rows, line, id, outputs?.[0]?.data]),
    ).toEqual([
      [0, 1, 1, undefined, [2]],
      [1, 1, 2, undefined, [4]],
      [2, 1, 3, "of 3", [6]],
      [3, 5, 4, "of 4", [8, 8, 8, 8, 8]],
      [8, 1, 5, undefined, [10]],
      [9, 1, 6, "of 6", [12]],
      [10, 1, 7, "of 7", [14]],
      [11, 1, 8, "of 8", [16]],
    ]);
    // Rows 0 to 7, 8, 9 and 10, and 11.
    expect(queue.counts.submitted).toBe(4);
  });

  it("takes a request with binary data, and sends it whole where rows are not known to be apart", async () => {
    const { post, linesOf, calls } = await appOf({ joins: false });
    const x = tensorFromNumbers("x", "FP32", [20], Array<number>(20).fill(1));
    const { body, headerBytes } = encodeInferRequest({ parameters: {}, inputs: [x] }, { binary: true });
    const { json } = await post(body, { [headerLength]: String(headerBytes) });
    expect(await linesOf(json.url)).toMatchObject([{ row: 0, rows: 20 }]);
    expect(calls).toEqual([20]);
  });

  it("knows by its text what a body without a type is", async () => {
    const { post, linesOf } = await appOf();
    const rowsOf = async (body: string) =>
      (await linesOf((await post(body)).json.url)).map(({ line }) => line);
    expect(await rowsOf("1")).toEqual([1]);
    expect(await rowsOf("1\n2\n")).toEqual([1, 2]);
    expect(await rowsOf(`${requestOf([1])}\n${requestOf([2])}`)).toEqual([1, 2]);
    expect(await rowsOf(requestOf([1, 2]))).toEqual([undefined]);
    expect(await rowsOf(JSON.stringify(JSON.parse(requestOf([1, 2])), undefined, 2))).toEqual([undefined]);
  });

  it("tells of a bad row alone, however it came", async () => {
    const { post, linesOf, status } = await appOf();
    const apart = await post("1\n-1\n2\n", ofLines);
    expect(await linesOf(apart.json.url)).toMatchObject([
      { row: 0, outputs: [{ data: [2] }] },
      { row: 1, line: 2, error: "a negative number is in it", code: "request_rejected", status: 400 },
      { row: 2, outputs: [{ data: [4] }] },
    ]);
    const together = await post(requestOf([0, 1, 2, 3, 4, -5, 6, 7]));
    const lines = await linesOf(together.json.url);
    expect(lines.filter(({ error }) => error !== undefined)).toMatchObject([{ row: 5, rows: 1 }]);
    expect(lines.flatMap(({ outputs = [] }) => outputs[0]?.data ?? [])).toEqual([0, 2, 4, 6, 8, 12, 14]);
    expect(await status(together.json.url)).toMatchObject({ state: "done", done: 8, failed: 1 });
  });

  it("gives what JSON cannot state as binary data", async () => {
    const { post, linesOf } = await appOf();
    const x = { ...tensorFromNumbers("x", "FP32", [1], [Infinity]) };
    const { body, headerBytes } = encodeInferRequest({ parameters: {}, inputs: [x] }, { binary: true });
    const { json } = await post(body, { [headerLength]: String(headerBytes) });
    const binary = Buffer.from(new Float32Array([Infinity]).buffer).toString("base64");
    expect(await linesOf(json.url)).toMatchObject([{ row: 0, binary }]);
  });

  it("waits for room in a queue that is full, and leaves most of it to others", async () => {
    const { post, linesOf, queue, status, daemon } = await appOf({ maxQueuedRows: 8, serviceMs: 5 });
    const { json } = await post(numbers(40), ofLines);
    const request = {
      parameters: {},
      inputs: [tensorFromNumbers("x", "FP32", [8], Array<number>(8).fill(1))],
    };
    const others = Array.from({ length: 3 }, () =>
      daemon.submit({ model: "double", request, bytes: 1 }, new AbortController().signal).catch(() => {}),
    );
    expect(await linesOf(json.url)).toHaveLength(40);
    await Promise.all(others);
    expect(await status(json.url)).toMatchObject({ state: "done", failed: 0 });
    expect(queue.counts.refused).toBeGreaterThan(0);
  });

  it("has few rows in the queue at once, and shares them with other jobs", async () => {
    const { post, linesOf, queue } = await appOf({ serviceMs: 2 }, { mostRows: 12 });
    const urls = await Promise.all([post(numbers(100), ofLines), post(numbers(20), ofLines)]);
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, queue.counts.waiting + queue.counts.inFlight)), 1);
    const [large, small] = await Promise.all(urls.map(async ({ json }) => linesOf(json.url)));
    clearInterval(watch);
    expect([large?.length, small?.length]).toEqual([100, 20]);
    expect(most).toBeLessThanOrEqual(12);
  });

  it("is cancelled also when all of it was sent already", async () => {
    const { app, post, linesOf } = await appOf({ serviceMs: 100 });
    const { json } = await post(numbers(9), ofLines);
    const answer = await app.request(json.url, { method: "DELETE" });
    expect(await answer.json()).toMatchObject({ state: "cancelled", done: 9, failed: 9 });
    expect((await linesOf(json.url)).map(({ code }) => code)).toContain("cancelled");
  });

  it("is cancelled by DELETE, keeps what it had, and is forgotten by another", async () => {
    const { app, post, status, linesOf, get } = await appOf({ serviceMs: 20 }, { mostRows: 4 });
    const { json } = await post(numbers(500), ofLines);
    await eventually(async () => expect((await status(json.url)).done).toBeGreaterThan(4));
    const answer = await app.request(json.url, { method: "DELETE" });
    expect(await answer.json()).toMatchObject({ state: "cancelled", done: 500 });
    const lines = await linesOf(json.url);
    expect(lines[0]).toMatchObject({ row: 0, outputs: [{ data: [0] }] });
    expect(lines.at(-1)).toMatchObject({ code: "cancelled" });
    let next = 0;
    for (const { row, rows } of lines) {
      expect(row).toBe(next);
      next += rows;
    }
    expect(next).toBe(500);
    expect((await app.request(json.url, { method: "DELETE" })).status).toBe(200);
    const gone = await get(json.url);
    expect(gone.status).toBe(404);
    expect(await gone.json()).toMatchObject({ error: /jobs do not outlive the daemon/ });
  });
});

describe("the results of a job", () => {
  it("come as events, and go on from the last one that was seen", async () => {
    const { post, get } = await appOf();
    const { json } = await post(numbers(5), ofLines);
    const answer = await get(json.url, "text/event-stream");
    expect(answer.headers.get("content-type")).toBe("text/event-stream");
    const events = (await answer.text()).trim().split("\n\n");
    const kinds = events.map((event) => /^event: (\w+)/.exec(event)?.[1]);
    expect(kinds.filter((kind) => kind === "result")).toHaveLength(5);
    expect(kinds.at(-1)).toBe("end");
    expect(events.filter((event) => event.startsWith("event: result"))[2]).toContain(
      'id: 3\ndata: {"row":2,',
    );
    const rest = await (await get(json.url, "text/event-stream", { "last-event-id": "3" })).text();
    expect(rest.match(/event: result/g)).toHaveLength(2);
  });

  it("come in pages, with the row to go on from", async () => {
    const { post, get, linesOf } = await appOf();
    const { json } = await post(numbers(300), ofLines);
    await linesOf(json.url);
    const page = (await (await get(`${json.url}?from=290&limit=4`)).json()) as Status;
    expect(page.results.map(({ row }) => row)).toEqual([290, 291, 292, 293]);
    expect(page.next).toBe(294);
    expect((await (await get(`${json.url}?from=250`)).json()) as Status).toMatchObject({ next: 300 });
    expect((await (await get(`${json.url}?limit=0`)).json()) as Status).toMatchObject({
      results: [],
      next: 0,
    });
    expect((await get(`${json.url}?from=x`)).status).toBe(400);
  });

  it("are streamed while the job runs, also to those who take compressed answers", async () => {
    const { post, get, status } = await appOf({ serviceMs: 10 }, { mostRows: 4 });
    const { json } = await post(numbers(100), ofLines);
    const answer = await get(json.url, "application/x-ndjson", { "accept-encoding": "gzip" });
    expect(answer.headers.get("spillway-job-rows")).toBe("100");
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    const first = await reader.read();
    expect(new TextDecoder().decode(first.value)).toMatch(/^\{"row":0,/);
    expect((await status(json.url)).state).toBe("running");
    await reader.cancel();
  });

  it("are kept for a while, and then take no place any more", async () => {
    const { post, get, linesOf } = await appOf({}, { keepMs: 20, mostJobs: 1 });
    const { json } = await post("1\n", ofLines);
    await linesOf(json.url);
    await eventually(async () => expect((await get(json.url)).status).toBe(404));
    expect((await post("1\n", ofLines)).status).toBe(202);
  });

  it("end with what was left when the daemon stops", async () => {
    const { post, jobs, linesOf, status } = await appOf({ serviceMs: 10 }, { mostRows: 4 });
    const { json } = await post(numbers(5_000), ofLines);
    const reading = linesOf(json.url);
    await eventually(async () => expect((await status(json.url)).done).toBeGreaterThan(0));
    jobs.retire();
    await jobs.close();
    const lines = await reading;
    expect(lines[0]).toMatchObject({ row: 0, outputs: [{ data: [0] }] });
    expect(lines.at(-1)).toMatchObject({ code: "queue_closed", error: /stopped before it came to this row/ });
    expect((lines.at(-1)?.row ?? 0) + (lines.at(-1)?.rows ?? 0)).toBe(5_000);
    expect((await post("1\n", ofLines)).status).toBe(503);
  });
});

describe("a zip", () => {
  const shout = { ...doubles, inputs: [{ name: "file", datatype: "BYTES" as const, shape: [-1] }] };
  /** The first byte of each file. */
  const serve = ({ inputs: [x] }: InferRequest) => {
    const count = x?.shape[0] ?? 0;
    const files = x === undefined ? [] : elementsOfBytes(x.data, count, "file");
    return [
      tensorFromNumbers(
        "y",
        "FP32",
        [count],
        files.map((bytes) => bytes[0] ?? -1),
      ),
    ];
  };
  const file = (name: string, content = "A") => ({ name, content: Buffer.from(content) });

  it("gives each of its files a row, by name, without those that nobody means", async () => {
    const { post, linesOf } = await appOf({ metadata: shout, serve });
    const zip = tinyZip([
      file("b.png", "B"),
      file("__MACOSX/b.png"),
      file("a/c.png", "C"),
      file(".DS_Store"),
    ]);
    const { json } = await post(zip);
    expect(
      (await linesOf(json.url)).map(({ row, name, outputs }) => [row, name, outputs?.[0]?.data]),
    ).toEqual([
      [0, "b.png", [66]],
      [1, "a/c.png", [67]],
    ]);
  });

  it.each([
    ["a name that leads out", tinyZip([file("../a.png")]), /invalid relative path: \.\.\/a\.png/],
    ["an absolute name", tinyZip([file("/etc/a.png")]), /absolute path/],
    ["a link", tinyZip([{ ...file("a"), mode: 0o120777 }]), /"a" in the zip is a link/],
    [
      "a bomb",
      tinyZip([file("a.png", "0".repeat(2 ** 20 + 1))]),
      /"a.png" in the zip unpacks to 1048577 bytes/,
    ],
    ["no files", tinyZip([]), /the zip has no files/],
    ["no end", Buffer.from("PK\u0003\u0004 and then nothing of the kind"), /the body is no zip/],
  ])("is refused for %s", async (_, zip, error) => {
    const { post, calls } = await appOf({ metadata: shout, serve });
    const { status, json } = await post(zip);
    expect([400, 413]).toContain(status);
    expect(json.error).toMatch(error);
    expect(calls).toEqual([]);
  });

  it("fails a file that unpacks to more than it says, and no other", async () => {
    const { post, linesOf } = await appOf({ metadata: shout, serve });
    const { json } = await post(tinyZip([{ ...file("a", "AAAA"), claimedBytes: 2 }, file("b", "B")]));
    expect(await linesOf(json.url)).toMatchObject([
      { row: 0, name: "a", error: /cannot be unpacked: too many bytes/ },
      { row: 1, name: "b", outputs: [{ data: [66] }] },
    ]);
  });

  it("needs a model that takes files", async () => {
    const { post } = await appOf();
    expect(await post(tinyZip([file("a")]))).toMatchObject({
      status: 400,
      json: { error: /allowed: BYTES/ },
    });
  });
});

describe("what is no job", () => {
  it.each([
    ["a broken line", "1\n\n[2\n3\n", ofLines, 400, "line 3: the row is not valid JSON"],
    ["a line with a wrong row", '1\n"a"\n', ofLines, 400, 'line 2: input "x": element 0 is "a"'],
    ["an empty body", "", ofLines, 400, "the body is empty"],
    ["a body of blank lines", "\n \n", ofLines, 400, "the body has no lines"],
    ["broken JSON", "{", { "content-type": "application/json" }, 400, "request is not valid JSON"],
    ["another type", "a", { "content-type": "image/png" }, 415, 'content-type is "image/png"; allowed'],
  ])("is refused, and says where: %s", async (_, body, headers, status, error) => {
    const { post, calls } = await appOf();
    const refused = await post(body, headers);
    expect([refused.status, refused.json.error]).toEqual([status, expect.stringContaining(error)]);
    expect(calls).toEqual([]);
  });

  it("is told of an unknown model and a method that is not there", async () => {
    const { app } = await appOf();
    const unknown = await app.request("/v2/models/other/jobs", { method: "POST", body: "1\n" });
    expect([unknown.status, await unknown.json()]).toMatchObject([404, { error: /no model "other"/ }]);
    const wrong = await app.request("/v2/models/double/jobs/x", { method: "POST" });
    expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "GET, DELETE"]);
  });

  it("names a lane that is not there", async () => {
    const { post, calls } = await appOf();
    const refused = await post("1\n", { "spillway-lane": "slow" });
    expect([refused.status, refused.json.error]).toEqual([
      400,
      expect.stringContaining('spillway_lane is "slow"'),
    ]);
    expect(calls).toEqual([]);
  });

  it("has no room: by number, by its own size, by what others take", async () => {
    const { post } = await appOf({ serviceMs: 50 }, { mostJobs: 1, mostBytes: 2_000, mostRows: 1 });
    const large = await post(numbers(1_000), ofLines);
    expect([large.status, large.json.error]).toEqual([413, expect.stringContaining("(--jobs-mib)")]);
    expect((await post("1\n2\n", ofLines)).status).toBe(202);
    const second = await post("1\n", ofLines);
    expect([second.status, second.json.error]).toEqual([503, expect.stringContaining("there are 1 jobs")]);
    expect(second.headers.get("retry-after")).toBe("10");
  });

  it("is stopped when its results have no room, with what it has and what is left", async () => {
    const { post, linesOf, status } = await appOf({}, { mostBytes: 6_000 });
    const { json } = await post(numbers(100), ofLines);
    const lines = await linesOf(json.url);
    expect(await status(json.url)).toMatchObject({ state: "stopped", done: 100, error: /--jobs-mib/ });
    expect(lines[0]).toMatchObject({ row: 0, outputs: [{ data: [0] }] });
    const last = lines.at(-1);
    expect(last).toMatchObject({ code: "queue_full" });
    expect((last?.row ?? 0) + (last?.rows ?? 0)).toBe(100);
    expect(lines.slice(0, -1).map(({ row }) => row)).toEqual(lines.slice(0, -1).map((_, row) => row));
  });
});
