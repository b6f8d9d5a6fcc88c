// @module-tag slow
/** Replicas that say what they must not, die while they say it, or are sent more than the socket holds. */
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { PassThrough } from "node:stream";
import { pino } from "pino";
import { outputNumbers, rowsRequest, startPool } from "../../../test/support/scripted-pool.ts";
import { Replica } from "../replica.ts";
import { type ReplicaPool } from "../replica-pool.ts";
import { CallChannel } from "./replica-channel.ts";
import { framePieces } from "./frames.ts";

const entry = new URL("../../../test/support/broken-replica.mjs", import.meta.url);
const replicas: Replica[] = [];
const pools: ReplicaPool[] = [];

afterEach(async () => {
  await Promise.all([
    ...replicas.splice(0).map((each) => each.stop()),
    ...pools.splice(0).map((each) => each.close()),
  ]);
});

async function broken(version: string): Promise<Replica> {
  const model = { name: "broken", version, path: "" };
  const log = pino({ level: "silent" });
  const replica = new Replica({ model, threads: 1, entry, loadTimeoutMs: 20_000, pingMs: 60_000, log }, 0);
  replicas.push(replica);
  await replica.load();
  return replica;
}

describe("a run dies with a replica", () => {
  const x = { name: "x", datatype: "UINT8", shape: [1], data: Uint8Array.of(1) } as const;
  it.each([
    ["garbage", /sent what is no answer: .* is not the beginning of a frame/],
    ["empty-head", /sent what is no answer: a frame has no head/],
    ["dies-in-a-frame", /^exit code 7$/],
  ])("that does this: %s", async (version, reason) => {
    const replica = await broken(version);
    expect(await replica.run([x], [1], 20_000)).toEqual({
      kind: "died",
      reason: expect.stringMatching(reason),
    });
  });
});

it("batches and answers may be many times larger than what a socket holds", async () => {
  const pool = await startPool({ maxBatchRows: 2 ** 18, maxQueueRows: 2 ** 18 });
  pools.push(pool);
  const values = Array.from({ length: 2 ** 16 }, (_, index) => index % 1_000);
  const result = await pool.run(rowsRequest(...values.slice(0, 10)));
  expect(outputNumbers(result, "y")).toEqual(values.slice(0, 10));
  const [x] = rowsRequest(1).inputs;
  const data = new Uint8Array(Int32Array.from(values).buffer);
  const large = { parameters: {}, inputs: [{ ...x, shape: [values.length, 1], data } as never] };
  const [one, other] = await Promise.all([pool.run(large), pool.run(large)]);
  expect(outputNumbers(one, "y")).toEqual(values);
  expect(outputNumbers(other, "y")).toEqual(values);
});

it("a channel is read no further behind what is no answer", async () => {
  const socket = new PassThrough();
  const [answers, faults]: [unknown[], string[]] = [[], []];
  const channel = new CallChannel(
    socket,
    (answer) => answers.push(answer),
    (why) => faults.push(why),
  );
  socket.write("this is no frame at all");
  for (const piece of framePieces({ plain: { kind: "pong" }, tensors: [] }, true)) socket.write(piece);
  socket.end();
  await once(socket, "end");
  expect([answers.length, faults.length]).toEqual([0, 1]);
  // Nor is anything sent to it once it has ended.
  channel.send({ plain: { kind: "ping" }, tensors: [] });
});
