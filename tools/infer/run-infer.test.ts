import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { SpillwayError } from "../../base/errors.ts";
import type { TransportReply } from "../../client/transports/transport.ts";
import { decodeInferRequest } from "../../protocol/decode.ts";
import { encodeInferResponse } from "../../protocol/encode.ts";
import type { WireBody } from "../../protocol/message.ts";
import { tensorFromNumbers, tensorToNumbers } from "../../protocol/tensor.ts";
import type { BulkInput } from "./bulk-input.ts";
import { BulkSender } from "./bulk-sender.ts";
import { ResultFile } from "./result-file.ts";
import { runInfer } from "./run-infer.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-run-"));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

/** Numbers from 0; every one for which `isBroken` says so cannot be read. */
function numbers(count: number, isBroken: (index: number) => boolean = () => false): BulkInput {
  return {
    kind: "jsonl",
    count,
    digest: "d",
    items: async function* (from) {
      for (let index = from; index < count; index++) {
        const x = tensorFromNumbers("x", "FP32", [1, 1], [index]);
        const request = isBroken(index) ? new Error("it is torn") : { parameters: {}, inputs: [x] };
        yield { index, line: index + 1, request };
      }
    },
  };
}

type Answered =
  | number
  | { readonly status: number; readonly error: string; readonly retryAfterMs?: number }
  | Error;

/** A server that answers `on(values, number of the call)`: with its status, an error, or not at all; 200 gives the same numbers. */
function serverOf(on: (values: readonly number[], call: number) => Answered) {
  const calls: number[][] = [];
  const call = async (model: string, { body, headerBytes }: WireBody): Promise<TransportReply> => {
    const { inputs, parameters } = decodeInferRequest(body, headerBytes);
    const values = inputs.flatMap((input) => [...tensorToNumbers(input)]);
    expect(parameters["timeout"]).toBe(5_000_000);
    calls.push(values);
    const reply = { durationMs: 1, coldStartMs: 0, mayHaveStarted: false, cost: 0 };
    const answer = on(values, calls.length);
    await Promise.resolve();
    if (answer instanceof Error) throw answer;
    if (typeof answer === "object") {
      const text = Buffer.from(JSON.stringify({ error: answer.error }));
      return { ...reply, status: answer.status, wire: { body: text }, retryAfterMs: answer.retryAfterMs };
    }
    const outputs = [tensorFromNumbers("y", "FP32", [values.length, 1], values)];
    const said = { spillway_target: "edge", spillway_service_ms: 4, spillway_batch_rows: values.length };
    const wire = encodeInferResponse({ modelName: model, parameters: said, outputs }, () => true);
    return { ...reply, status: 200, wire };
  };
  return { calls, transport: { call } };
}

interface RunFlags {
  readonly count?: number;
  readonly mostRows?: number;
  readonly concurrency?: number;
  readonly patienceMs?: number;
  readonly stop?: AbortController;
  readonly path?: string;
  readonly input?: BulkInput;
  readonly lane?: string;
}

async function run(server: ReturnType<typeof serverOf>, flags: RunFlags = {}) {
  const {
    count = 20,
    mostRows = 8,
    concurrency = 3,
    patienceMs = 60_000,
    stop = new AbortController(),
  } = flags;
  const { path = join(folder, `${files++}.jsonl`), input = numbers(count) } = flags;
  const results = ResultFile.open(path, {
    model: "m",
    kind: input.kind,
    digest: input.digest,
    count: input.count,
  });
  const waits: string[] = [];
  const sender = new BulkSender({
    transport: server.transport,
    model: "m",
    lane: flags.lane,
    timeoutMs: 5_000,
    patienceMs,
    firstWaitMs: 1,
    stop: stop.signal,
    onWait: (why) => why !== undefined && waits.push(why),
  });
  try {
    const end = await runInfer({
      input,
      sender,
      results,
      mostRows,
      concurrency,
      stop: stop.signal,
      onProgress: () => {},
    });
    return { ...end, path, waits };
  } finally {
    results.close();
  }
}

interface Line {
  readonly row: number;
  readonly error?: string;
  readonly status?: number;
  readonly outputs?: readonly { readonly data: readonly number[] }[];
}

const linesIn = (path: string): Line[] =>
  readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);

describe("a run", () => {
  it("sends rows together, and gives each its own answer, in order", async () => {
    const server = serverOf(() => 200);
    const { path, why, tally } = await run(server);
    expect(server.calls.map(({ length }) => length)).toEqual([8, 8, 4]);
    expect(linesIn(path).map(({ row, outputs }) => [row, outputs?.[0]?.data])).toEqual(
      Array.from({ length: 20 }, (_, row) => [row, [row]]),
    );
    expect(why).toBeUndefined();
    const [share, ...others] = tally.rows();
    expect([share?.who, share?.rows, others]).toEqual(["edge", 20, []]);
    // Each row has its share of the 4 ms of its batch, whatever the number of rows in that.
    expect(share?.msPerRow).toBeCloseTo((3 * 4) / 20);
  });

  it("sends them singly where the model does not treat rows apart", async () => {
    const server = serverOf(() => 200);
    await run(server, { count: 3, mostRows: 1 });
    expect(server.calls).toEqual([[0], [1], [2]]);
  });

  it("finds the rows that are refused, and answers all others", async () => {
    const server = serverOf((values) =>
      values.some((value) => value === 5 || value === 13) ? { status: 400, error: "no such number" } : 200,
    );
    const { path, tally } = await run(server);
    const lines = linesIn(path);
    expect(lines.flatMap(({ row, error }) => (error === undefined ? [] : [[row, error]]))).toEqual([
      [5, "no such number"],
      [13, "no such number"],
    ]);
    expect([lines.length, tally.answered, tally.failed]).toEqual([20, 18, 2]);
  });

  it("tells of what cannot be read in its place", async () => {
    const input = numbers(5, (index) => index === 2);
    const { path, tally } = await run(
      serverOf(() => 200),
      { input },
    );
    expect(linesIn(path)[2]).toMatchObject({ row: 2, error: "it is torn", status: 400 });
    expect(tally.failed).toBe(1);
  });

  it("waits for a server that is full, starts or is away, and loses nothing", async () => {
    const server = serverOf((_, call) => {
      if (call === 1)
        return { status: 503, error: "The queue holds as many rows as it may.", retryAfterMs: 20 };
      if (call === 2) return new SpillwayError("target_unreachable", "connect ECONNREFUSED");
      if (call === 3) return { status: 404, error: "no model m" };
      return 200;
    });
    const { path, waits, tally } = await run(server, { count: 4, concurrency: 1 });
    expect(linesIn(path).map(({ row }) => row)).toEqual([0, 1, 2, 3]);
    expect(tally.failed).toBe(0);
    expect(waits).toEqual(["The queue holds as many rows as it may.", "connect ECONNREFUSED", "no model m"]);
  });

  it("tries again what fails for now, and fails the row alone that fails again and again", async () => {
    const server = serverOf((values) => (values.includes(1) ? { status: 500, error: "it broke" } : 200));
    const { path } = await run(server, { count: 2, concurrency: 1 });
    expect(linesIn(path)).toMatchObject([{ outputs: [{ data: [0] }] }, { error: "it broke", status: 502 }]);
  });

  it("ends when all rows fail from the start, because that is no fault of theirs", async () => {
    const server = serverOf(() => ({ status: 500, error: "no such device" }));
    const { why, tally } = await run(server, { count: 1_000 });
    expect(why).toBe("the first 20 rows that were tried all failed (no such device)");
    expect(tally.failed).toBe(19);
    expect(server.calls.length).toBeLessThan(300);
  });

  it("ends when nothing is answered for long, and goes on from there", async () => {
    let isAway = false;
    const server = serverOf((values) => {
      if (values.includes(8)) isAway = true;
      return isAway ? new SpillwayError("target_unreachable", "connection refused") : 200;
    });
    const first = await run(server, { concurrency: 1, patienceMs: 1 });
    expect(first.why).toMatch(/nothing was answered for 0.001 s \(connection refused\)/);
    expect(linesIn(first.path)).toHaveLength(8);
    const again = serverOf(() => 200);
    const { why, path } = await run(again, { path: first.path });
    expect(why).toBeUndefined();
    expect(again.calls.flat()).toEqual([8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
    expect(linesIn(path).map(({ row }) => row)).toEqual(Array.from({ length: 20 }, (_, row) => row));
  });

  it("sends nothing new when it is stopped, keeps the answers under way, and does not ask for them again", async () => {
    const stop = new AbortController();
    const first = await run(
      serverOf((_, call) => {
        // The first rows have no answer when it is stopped, later ones have.
        if (call === 2) stop.abort();
        return call === 1 ? { status: 503, error: "full" } : 200;
      }),
      { stop, concurrency: 2 },
    );
    expect(first.why).toBe("stopped");
    const again = serverOf(() => 200);
    await run(again, { path: first.path });
    expect(again.calls.flat()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19]);
    expect(linesIn(first.path)).toHaveLength(20);
  });

  it("does nothing when everything is done", async () => {
    const { path } = await run(serverOf(() => 200));
    const again = serverOf(() => 200);
    expect((await run(again, { path })).why).toBeUndefined();
    expect(again.calls).toEqual([]);
  });

  it("has no more requests under way than it may", async () => {
    let underWay = 0;
    let most = 0;
    const { transport } = serverOf(() => 200);
    const counted = {
      calls: [],
      transport: {
        call: async (model: string, wire: WireBody) => {
          most = Math.max(most, ++underWay);
          await new Promise(setImmediate);
          underWay--;
          return transport.call(model, wire);
        },
      },
    };
    await run(counted, { count: 100, mostRows: 1, concurrency: 5 });
    expect(most).toBe(5);
  });
});

it("ends at once, with no row lost to it, when its lane is not there", async () => {
  const path = join(folder, "lane.jsonl");
  const noLane = { status: 400, error: 'spillway_lane is "fast"; allowed: people, archive' };
  const server = serverOf(() => noLane);
  await expect(run(server, { lane: "fast", path })).rejects.toThrow(
    '--lane is "fast"; allowed: people, archive',
  );
  expect(server.calls.length).toBeLessThanOrEqual(3);
  const again = await run(
    serverOf(() => 200),
    { path },
  );
  expect([again.why, readFileSync(path, "utf8").trimEnd().split("\n").length]).toEqual([undefined, 20]);
});
