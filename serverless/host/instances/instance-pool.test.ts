import { readdirSync } from "node:fs";
import { Writable } from "node:stream";
import { pino } from "pino";
import { expect, it } from "vitest";
import { functionNamed, isRunning, newGate, start } from "../../../test/support/function-host.ts";
import { cuSheet } from "../../../test/support/cu-sheet.ts";
import { recomputedBill, type TimedCall } from "../../../test/support/recomputed-bill.ts";
import { probeCgroups } from "./cgroup-probe.ts";

const probed = await probeCgroups();
const { makeCgroup, skipped } = probed.possible
  ? { makeCgroup: probed.make, skipped: "" }
  : { makeCgroup: undefined, skipped: ` (skipped: ${probed.why})` };

it("runs calls together on one process up to its concurrency, then on a second, then refuses", async () => {
  const functions = [functionNamed("f", { instanceConcurrency: 3 })];
  const { invoke, list, bill } = await start({ functions, maxInstances: 2 });
  const gate = newGate();
  const held = Array.from({ length: 6 }, () => invoke(gate.order));
  await expect
    .poll(async () => (await list()).map(({ state, calls }) => [state, calls]), { timeout: 10_000 })
    .toEqual([
      ["busy", 3],
      ["busy", 3],
    ]);
  await expect(invoke("a")).rejects.toMatchObject({ statusCode: 429, code: "ResourceExhausted" });
  gate.open();
  const answers = await Promise.all(held);
  expect(new Set(answers.map(({ headers }) => headers["x-fc-instance-id"])).size).toBe(2);
  // All that came before an instance was up waited for its start, but there were only two.
  const waited = answers.filter(({ headers }) => headers["x-spillway-cold-start-ms"] !== "0");
  expect(waited.length).toBeGreaterThanOrEqual(2);
  expect((await bill()).total).toMatchObject({ calls: 6, coldStarts: 2, errors: 0, notCharged: 1 });
});

it("throttles starts beyond the burst, but not calls that an instance takes", async () => {
  const { invoke } = await start({ burst: 1, growthPerMin: 0 });
  await invoke("a");
  const gate = newGate();
  const held = invoke(gate.order);
  await expect(invoke("b")).rejects.toMatchObject({
    statusCode: 429,
    message: expect.stringContaining("so soon"),
  });
  gate.open();
  await held;
  expect((await invoke("c")).body.toString()).toBe("c");
});

it("fails every call of an instance that exits with 412, and only those", async () => {
  const functions = [functionNamed("f", { instanceConcurrency: 3 })];
  const { invoke, busy, list, bill } = await start({ functions, maxInstances: 2 });
  const gate = newGate();
  const doomed = Promise.allSettled([invoke(gate.order), invoke(gate.order)]);
  await busy(1);
  await expect.poll(async () => (await list())[0]?.calls, { timeout: 10_000 }).toBe(2);
  const [pid] = (await list()).map((instance) => instance.pid ?? 0);
  await expect(invoke("!exit")).rejects.toMatchObject({ statusCode: 412, code: "CAExited" });
  for (const call of await doomed) {
    expect(call).toMatchObject({ status: "rejected", reason: { statusCode: 412, code: "CAExited" } });
  }
  expect(isRunning(pid ?? 0)).toBe(false);
  expect((await invoke("a")).body.toString()).toBe("a");
  expect((await bill()).total).toMatchObject({ calls: 4, errors: 3, coldStarts: 2 });
});

it("lets the other calls of an instance end when one takes too long, and gives it no new ones", async () => {
  const functions = [functionNamed("f", { instanceConcurrency: 2, timeoutMs: 500 })];
  const { invoke, list } = await start({ functions });
  await invoke("a");
  const [late, other] = [invoke("!hang"), invoke("!wait 100")];
  expect((await other).headers["x-fc-error-type"]).toBeUndefined();
  const { headers } = await late;
  expect(headers["x-fc-error-type"]).toBe("UnhandledInvocationError");
  expect((await invoke("b")).headers["x-fc-instance-id"]).not.toBe(headers["x-fc-instance-id"]);
  await expect.poll(list, { timeout: 10_000 }).toHaveLength(1);
});

it("waits for what a marked call prints after its reply", async () => {
  const { invoke } = await start();
  const { headers } = await invoke("!mark");
  const tail = Buffer.from(headers["x-fc-log-result"] ?? "", "base64").toString();
  expect(tail).toMatch(
    /^FC Invoke Start RequestId: (\S+)\nlate word of \1\nFC Invoke End RequestId: \1\nDuration/m,
  );
});

it("adds the drawn time to a cold start, and to no warm call", async () => {
  const { invoke } = await start({ coldStartMs: () => 150 });
  expect(Number((await invoke("a")).headers["x-spillway-cold-start-ms"])).toBeGreaterThanOrEqual(149);
  expect((await invoke("a")).headers["x-spillway-cold-start-ms"]).toBe("0");
});

it.skipIf(makeCgroup === undefined)(
  `ends a function that takes more than its memory, and says so${skipped}`,
  async () => {
    const functions = [functionNamed("f", { memoryMib: 128 })];
    const { invoke, host } = await start({ functions, ...(makeCgroup && { makeCgroup }) });
    expect((await invoke("a")).body.toString()).toBe("a");
    await expect(invoke("!eat 200")).rejects.toMatchObject({
      statusCode: 412,
      code: "CAExited",
      message: expect.stringContaining("more than its memory of 128 MiB"),
    });
    expect((await invoke("b")).body.toString()).toBe("b");
    await host.close();
    if (!probed.possible) return;
    const left = probed.where.split(" and ").flatMap((base) => readdirSync(base));
    expect(left.filter((name) => name.startsWith(`spillway-${process.pid}-`))).toEqual([]);
  },
);

it("bills hundreds of calls through the SDK as an independent calculation from the log does", async () => {
  const calls: TimedCall[] = [];
  const log = pino(
    { level: "debug" },
    new Writable({
      write: (line: Buffer, _, done) => {
        const {
          msg,
          function: name,
          instance,
          startedAtMs: beganMs,
          endedAtMs: endedMs,
        } = JSON.parse(line.toString());
        if (msg === "call ended") calls.push({ name, instance, beganMs, endedMs });
        done();
      },
    }),
  );
  const single = functionNamed("single", { vcpu: 0.5 });
  const shared = functionNamed("shared", { vcpu: 2, memoryMib: 4096, instanceConcurrency: 4 });
  const { invoke, bill } = await start({ functions: [single, shared], maxInstances: 4, log });
  let refused = 0;
  let billedSingleMs = 0;
  const caller = async (name: string): Promise<void> => {
    for (let call = 0; call < 50; call += 1) {
      try {
        const { headers } = await invoke(`!wait ${call % 4}`, { name });
        if (name === "single") billedSingleMs += Number(headers["x-fc-invocation-duration"]);
      } catch (error) {
        expect(error).toMatchObject({ statusCode: 429 });
        refused += 1;
      }
    }
  };
  await Promise.all(["single", "single", "shared", "shared", "shared", "shared"].map(caller));
  const { functions, total } = await bill();
  expect(calls).toHaveLength(300 - refused);
  for (const { name, ...size } of [single, shared]) {
    const other = recomputedBill(name, calls, size, cuSheet);
    expect(functions[name]).toMatchObject({ calls: other.calls, billedMs: other.billedMs });
    expect(functions[name]?.cost).toBeCloseTo(other.cost, 12);
  }
  // At a concurrency of one the answers alone say it.
  expect(functions["single"]?.billedMs).toBe(billedSingleMs);
  expect(total).toMatchObject({ errors: 0, notCharged: refused });
});
