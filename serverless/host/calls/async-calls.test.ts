import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import {
  eventually,
  folder,
  functionNamed,
  newGate,
  sdk,
  start,
} from "../../../test/support/function-host.ts";
import type { AsyncStatus } from "./async-calls.ts";

let files = 0;

/** A host whose pauses end when the test says so. */
async function startPaused() {
  let nowMs = 0;
  const pauses = new Map<() => void, number>();
  const clock = {
    nowMs: () => nowMs,
    after: (ms: number, act: () => void) => {
      pauses.set(act, nowMs + ms);
      return () => pauses.delete(act);
    },
  };
  const host = await start({ functions: [functionNamed("f"), functionNamed("g")], maxInstances: 1, clock });
  const status = async (): Promise<AsyncStatus> => {
    const answer = await fetch(`http://${host.endpoint}/admin/status`);
    return ((await answer.json()) as { asyncCalls: AsyncStatus }).asyncCalls;
  };
  /** Wait for the next pause, and end it: its milliseconds. */
  const endPause = async (): Promise<number> => {
    await eventually(() => expect(pauses.size).toBe(1));
    for (const [act, atMs] of pauses) {
      const pauseMs = atMs - nowMs;
      pauses.delete(act);
      nowMs = atMs;
      act();
      return pauseMs;
    }
    return 0;
  };
  const later = async (body: string, taskId?: string) =>
    host.invoke(body, { type: "Async", ...(taskId !== undefined && { taskId }) });
  return { ...host, status, endPause, later, pauses };
}

/** An order that fails until `succeed`, and how often it ran. */
function counted() {
  const file = join(folder, `count-${(files += 1)}`);
  return {
    order: `!count ${file}`,
    /** The count of retries that each run was told. */
    runs: () => (existsSync(file) ? readFileSync(file, "utf8") : ""),
    succeed: () => writeFileSync(`${file}-ok`, ""),
  };
}

it("takes a call at once, and runs it", async () => {
  const { later, status, bill } = await startPaused();
  const { order, runs, succeed } = counted();
  succeed();
  const answer = await later(order, "my task");
  expect(answer.status).toBe(202);
  expect(answer.headers["x-fc-request-id"]).toMatch(/^1-/);
  expect(answer.headers["x-fc-async-task-id"]).toBe("my task");
  expect(answer.body).toHaveLength(0);
  await eventually(async () => expect((await status()).succeeded).toBe(1));
  expect(runs()).toBe("0");
  expect((await bill()).total).toMatchObject({ calls: 1, errors: 0 });
});

it("runs a call again after growing pauses when the function fails, and then gives it up", async () => {
  const { later, status, endPause } = await startPaused();
  const { order, runs } = counted();
  await later(order);
  expect([await endPause(), await endPause(), await endPause()]).toEqual([500, 1_000, 2_000]);
  await eventually(async () => expect(await status()).toMatchObject({ waiting: 0, running: 0, givenUp: 1 }));
  expect(runs()).toBe("0123");
});

it("runs throttled calls again until they are too old, and counts that as no failure of the function", async () => {
  const { later, status, endPause, ours, endpoint } = await startPaused();
  const input = new sdk.PutAsyncInvokeConfigInput({ maxAsyncRetryAttempts: 0, maxAsyncEventAgeInSeconds: 3 });
  const { body } = await ours.putAsyncInvokeConfig("f", new sdk.PutAsyncInvokeConfigRequest({ body: input }));
  expect(body).toMatchObject({ maxAsyncRetryAttempts: 0, maxAsyncEventAgeInSeconds: 3 });
  const throttle = async (method: string): Promise<unknown> =>
    fetch(`http://${endpoint}/admin/faults`, {
      method,
      ...(method === "POST" && { body: '{"throttle":1}' }),
    });
  await throttle("POST");
  const { order, runs, succeed } = counted();
  succeed();
  await later(order, "saved");
  await endPause();
  await throttle("DELETE");
  expect(await endPause()).toBe(1_000);
  await eventually(async () => expect((await status()).succeeded).toBe(1));
  expect(runs()).toBe("2");
  await throttle("POST");
  await later(order, "lost");
  expect([await endPause(), await endPause()]).toEqual([500, 1_000]);
  await eventually(async () => expect((await status()).givenUp).toBe(1));
});

it("refuses bodies above 128 KiB, and a task that is pending", async () => {
  const { later, busy } = await startPaused();
  await expect(later("x".repeat(128 * 1024 + 1))).rejects.toMatchObject({
    statusCode: 400,
    code: "EntityTooLarge",
  });
  const gate = newGate();
  await later(gate.order, "one");
  await busy(1);
  await expect(later("a", "one")).rejects.toMatchObject({ statusCode: 409, code: "AsyncTaskAlreadyExists" });
  gate.open();
});

it("lets running calls end when the host closes, and gives the others up", async () => {
  const { host, later, busy, status } = await startPaused();
  const gate = newGate();
  await later(gate.order);
  await later("never");
  await busy(1);
  const closed = host.close();
  gate.open();
  await closed;
  expect(await status()).toEqual({ waiting: 0, running: 0, succeeded: 1, givenUp: 1 });
});
