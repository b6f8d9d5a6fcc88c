import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { codecThreadEntry as entry } from "../../test/support/built.ts";
import type { InferRequest, WireBody } from "../message.ts";
import { tensorFromNumbers } from "../tensor.ts";
import { CodecThreads } from "./codec-threads.ts";
import { isLongToRead, isLongToWrite, mostQuickBytes } from "./message-codec.ts";

const json = (data: string, count: number, more = ""): WireBody => ({
  body: new Uint8Array(
    Buffer.from(`{"inputs":[{"name":"x","datatype":"FP32","shape":[${count}],"data":[${data}]}]${more}}`),
  ),
});
const numbers = (count: number): WireBody => json(Array(count).fill("1.5").join(","), count);
const long = 200_000;

describe("threads for long bodies", { tags: ["slow"] }, () => {
  let threads: CodecThreads;
  beforeAll(() => {
    threads = new CodecThreads({ entry, threads: 1 });
  });
  afterAll(() => threads.close());

  it("read what is long while the event loop goes on, and give the same as reading it here", async () => {
    const wire = numbers(long);
    expect(isLongToRead(wire)).toBe(true);
    let turns = 0;
    const count = setInterval(() => turns++, 1);
    const parameters = `,"parameters":{"seed":9007199254740993,"timeout":5}`;
    const read = threads.read(json(Array(long).fill("1.5").join(","), long, parameters), undefined);
    const { inputs, ...others } = await read;
    clearInterval(count);
    expect(turns).toBeGreaterThan(0);
    expect(others).toMatchObject({ parameters: { seed: 9007199254740993n, timeout: 5 } });
    expect(inputs[0]).toMatchObject({ name: "x", datatype: "FP32", shape: [long] });
    // Element by element, toEqual takes seconds.
    const { data } = tensorFromNumbers("x", "FP32", [long], new Float32Array(long).fill(1.5));
    expect(Buffer.compare(inputs[0]?.data ?? new Uint8Array(), data)).toBe(0);
  });

  it("read binary data behind a long header in the memory that it came in", async () => {
    const header = Buffer.from(
      `{"inputs":[{"name":"x","datatype":"UINT8","shape":[4],"parameters":{"binary_data_size":4}}]${" ".repeat(mostQuickBytes)}}`,
    );
    const body = new Uint8Array([...header, 1, 2, 3, 4]);
    const { inputs } = await threads.read({ body, headerBytes: header.length }, undefined);
    expect([...(inputs[0]?.data ?? [])]).toEqual([1, 2, 3, 4]);
    expect(body.byteLength).toBe(0);
  });

  it("read long answers of other servers, and tell why one makes no sense", async () => {
    const text = `{"model_name":"m","outputs":[{"name":"y","datatype":"FP32","shape":[${long}],"data":[`;
    const answer = (data: string): WireBody => ({ body: new Uint8Array(Buffer.from(`${text}${data}]}]}`)) });
    let turns = 0;
    const count = setInterval(() => turns++, 1);
    const { outputs } = await threads.readAnswer(answer(Array(long).fill("1.5").join(",")), "m");
    clearInterval(count);
    expect(turns).toBeGreaterThan(0);
    expect(outputs).toMatchObject([{ name: "y", shape: [long] }]);
    await expect(threads.readAnswer(answer(Array(long).fill('"a"').join(",")), "m")).rejects.toThrow(
      /outputs/,
    );
  });

  it("print long answers, and leave the memory of the answer where it is", async () => {
    const output = tensorFromNumbers("y", "FP32", [long], new Float32Array(long).fill(0.5));
    const response = { modelName: "m", parameters: { a: 1 }, outputs: [output] };
    const request: InferRequest = { parameters: {}, inputs: [] };
    expect(isLongToWrite(response, request)).toBe(true);
    const { body } = await threads.write(response, request);
    const printed = JSON.parse(Buffer.from(body).toString()) as { outputs: { data: number[] }[] };
    expect(printed.outputs[0]?.data).toHaveLength(long);
    expect(output.data).toHaveLength(long * 4);
    expect(isLongToWrite(response, { ...request, parameters: { binary_data_output: true } })).toBe(false);
  });

  it("refuse with the status and the words of reading it here", async () => {
    await expect(threads.read(json(Array(long).fill("1").join(","), 7), undefined)).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining("has 200000 elements; shape [7] takes 7"),
    });
    await expect(
      threads.read(
        json("1", 1, `,"parameters":{"timeout":-1},"x":"${"x".repeat(mostQuickBytes)}"`),
        undefined,
      ),
    ).rejects.toMatchObject({ status: 400, message: expect.stringContaining("timeout is -1") });
  });

  it("refuse more than they hold, forget whose caller went away, and take the shortest first", async () => {
    const few = new CodecThreads({ entry, threads: 1, mostBytes: 4_000_000 });
    const gone = new AbortController();
    const order: string[] = [];
    const read = (name: string, count: number, signal?: AbortSignal): Promise<unknown> =>
      few.read(numbers(count), undefined, signal).then(
        () => order.push(name),
        (error: Error) => order.push(`${name}: ${error.message}`),
      );
    const all = [
      read("first", 300_000),
      read("long", 200_000),
      read("gone", 60_000, gone.signal),
      read("short", 50_000),
      read("too much", 900_000),
    ];
    gone.abort();
    await Promise.all(all);
    expect(order).toEqual([
      expect.stringMatching(
        /^too much: bodies of \d+ bytes are being read or printed as JSON; allowed: 4000000/,
      ),
      "gone: the caller went away",
      "first",
      "short",
      "long",
    ]);
    await few.close();
    await expect(few.read(numbers(long), undefined)).rejects.toMatchObject({ status: 503 });
  });

  it("outlive a body that takes too much memory or too long, which is a 413", async () => {
    const small = new CodecThreads({ entry, threads: 1, heapMib: 16 });
    await expect(small.read(numbers(4_000_000), undefined)).rejects.toMatchObject({
      status: 413,
      message: expect.stringMatching(/takes more than 16 MiB of memory because of its JSON/),
    });
    expect((await small.read(numbers(50_000), undefined)).inputs).toHaveLength(1);
    await small.close();
    const hasty = new CodecThreads({ entry, threads: 1, jobMs: 1 });
    await expect(hasty.read(numbers(4_000_000), undefined)).rejects.toMatchObject({
      status: 413,
      message: expect.stringMatching(/takes longer than 1 ms because of its JSON/),
    });
    await hasty.close();
  });
});
