import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { expect, it, vi } from "vitest";
import {
  eventually,
  folder,
  functionNamed,
  isRunning,
  newGate,
  start,
} from "../../test/support/function-host.ts";
import { cuSheet } from "../../test/support/cu-sheet.ts";
import { createFunctionHost, type FunctionHostOptions } from "./host.ts";

it("takes a call to a real process and back, octet by octet, with the headers of Function Compute", async () => {
  const { invoke } = await start();
  const bytes = Buffer.concat([Buffer.of(0), randomBytes(300_000)]);
  const answer = await invoke(bytes);
  expect(answer.status).toBe(200);
  expect(answer.body.equals(bytes)).toBe(true);
  expect(answer.headers["x-fc-request-id"]).toMatch(/^1-[0-9a-f]+-[0-9a-f]{8}-[0-9a-f]{12}$/);
  expect(answer.headers["x-fc-instance-id"]).toMatch(/^c-/);
  expect(answer.headers["x-fc-invocation-duration"]).toMatch(/^[1-9]\d*$/);
  expect(answer.headers["x-fc-error-type"]).toBeUndefined();
  const tail = Buffer.from(answer.headers["x-fc-log-result"] ?? "", "base64").toString();
  expect(tail).toMatch(/Duration: [\d.]+ ms, Billed Duration: \d+ ms, Memory Size: 512 MB\n$/);
});

it("starts a function with the platform's environment and headers, and nothing of the host's", async () => {
  vi.stubEnv("HOST_SECRET", "1");
  const { invoke, list } = await start({
    functions: [functionNamed("f", { initializer: true, env: { FOLDER: folder, FC_REGION: "x" } })],
  });
  const answer = await invoke("!tell");
  vi.unstubAllEnvs();
  const { env, headers, initialized } = JSON.parse(answer.body.toString());
  expect(env).toMatchObject({
    FC_FUNCTION_NAME: "f",
    FC_FUNCTION_MEMORY_SIZE: "512",
    FC_TIMEOUT: "10",
    FC_REGION: "local",
  });
  expect(env.HOST_SECRET).toBeUndefined();
  expect(env.FC_SERVER_PORT).toBe(env.FC_CUSTOM_LISTEN_PORT);
  expect((await list())[0]?.id).toBe(env.FC_INSTANCE_ID);
  expect(headers).toMatchObject({
    "x-fc-control-path": "/invoke",
    "content-type": "application/octet-stream",
  });
  expect(headers["x-fc-request-id"]).toBe(answer.headers["x-fc-request-id"]);
  expect(initialized).toBe(1);
  expect(answer.headers["x-model"]).toBe("m");
});

it("starts cold once, then uses the warm instance", async () => {
  const { invoke } = await start();
  const [cold, warm] = [await invoke("a"), await invoke("b")];
  expect(Number(cold.headers["x-spillway-cold-start-ms"])).toBeGreaterThan(5);
  expect(warm.headers["x-spillway-cold-start-ms"]).toBe("0");
  expect(warm.headers["x-fc-instance-id"]).toBe(cold.headers["x-fc-instance-id"]);
});

it("refuses what is not signed, not known, not offered or too large", async () => {
  const { invoke, client, list, endpoint } = await start();
  await expect(invoke("a", { by: client("key", "wrong") })).rejects.toMatchObject({
    statusCode: 403,
    code: "SignatureNotMatch",
  });
  await expect(invoke("a", { by: client("who", "secret") })).rejects.toMatchObject({
    statusCode: 403,
    code: "InvalidAccessKeyID",
  });
  await expect(invoke("a", { name: "g" })).rejects.toMatchObject({
    statusCode: 404,
    code: "FunctionNotFound",
  });
  for (const type of ["Async", "Later"]) {
    await expect(invoke("a", { type })).rejects.toMatchObject({
      statusCode: 400,
      code: "InvalidArgument",
      message: expect.stringContaining("does not emulate asynchronous calls"),
    });
  }
  for (const [qualifier, code] of [
    ["7", "VersionNotFound"],
    ["prod", "AliasNotFound"],
  ] as const) {
    await expect(invoke("a", { qualifier })).rejects.toMatchObject({ statusCode: 404, code });
  }
  await expect(invoke(Buffer.alloc(32 * 1024 * 1024 + 1))).rejects.toMatchObject({
    statusCode: 400,
    code: "EntityTooLarge",
  });
  const url = `http://${endpoint}/2023-03-30/functions/f/invocations`;
  const unsigned = await fetch(url, { method: "POST", body: "a" });
  expect([unsigned.status, await unsigned.json()]).toMatchObject([400, { Code: "MissingRequiredHeader" }]);
  expect(await list()).toEqual([]);
});

it("runs concurrent calls on an instance each, up to the bound, and refuses the next with 429", async () => {
  const { invoke, busy, bill } = await start({ maxInstances: 2 });
  const gate = newGate();
  const held = [invoke(gate.order), invoke(gate.order)];
  await busy(2);
  await expect(invoke("a")).rejects.toMatchObject({ statusCode: 429, code: "ResourceExhausted" });
  gate.open();
  const ids = (await Promise.all(held)).map(({ headers }) => headers["x-fc-instance-id"]);
  expect(new Set(ids).size).toBe(2);
  expect((await invoke("a")).headers["x-spillway-cold-start-ms"]).toBe("0");
  expect((await bill()).total).toMatchObject({ calls: 3, coldStarts: 2, errors: 0 });
});

it("lets the instance idle for longest go when another function needs the room", async () => {
  const { invoke, list } = await start({
    maxInstances: 1,
    functions: [functionNamed("f"), functionNamed("g")],
  });
  await invoke("a", { name: "f" });
  const pid = (await list())[0]?.pid ?? 0;
  await invoke("a", { name: "g" });
  expect(isRunning(pid)).toBe(false);
  expect((await list()).map((instance) => instance.function)).toEqual(["g"]);
});

it("answers 412 for the call whose function exits, and starts a new instance for the next", async () => {
  const { invoke, bill } = await start();
  const first = await invoke("a");
  await expect(invoke("!exit")).rejects.toMatchObject({
    statusCode: 412,
    code: "CAExited",
    message: expect.stringContaining("code 3"),
  });
  const next = await invoke("a");
  expect(next.headers["x-fc-instance-id"]).not.toBe(first.headers["x-fc-instance-id"]);
  expect((await bill()).total).toMatchObject({ calls: 3, errors: 1, coldStarts: 2 });
});

it("answers 502 when a function drops the connection or replies too much, and does not use it again", async () => {
  const { invoke } = await start({ limits: { maxReplyBytes: 1000 } });
  await expect(invoke("!drop")).rejects.toMatchObject({ statusCode: 502, code: "BadResponse" });
  await expect(invoke("!big")).rejects.toMatchObject({ statusCode: 502, code: "BadResponse" });
  expect((await invoke("a")).body.toString()).toBe("a");
});

it("forgets an instance that exits after its reply", async () => {
  const { invoke, list } = await start();
  expect((await invoke("!last")).body.toString()).toBe("bye");
  await eventually(async () => expect(await list()).toEqual([]));
  expect((await invoke("a")).body.toString()).toBe("a");
});

it("says that a function failed by a header on a 200, with the function's own body", async () => {
  const { invoke, bill } = await start();
  const answer = await invoke("!fail");
  expect([answer.status, answer.body.toString()]).toEqual([200, "no such model"]);
  expect(answer.headers["x-fc-error-type"]).toBe("UnhandledInvocationError");
  expect((await bill()).total).toMatchObject({ calls: 1, errors: 1 });
});

it("ends a call at the function's time limit and does not use its instance again", async () => {
  const { invoke, list } = await start({ functions: [functionNamed("f", { timeoutMs: 100 })] });
  const answer = await invoke("!hang");
  expect(answer.status).toBe(200);
  expect(answer.headers["x-fc-error-type"]).toBe("UnhandledInvocationError");
  expect(answer.body.toString()).toContain("timed out after 0.1 seconds");
  expect(Number(answer.headers["x-fc-invocation-duration"])).toBeGreaterThanOrEqual(99);
  await eventually(async () => expect(await list()).toEqual([]));
});

it("tells why a function does not start, and leaves no process behind", async () => {
  const node = (script: string): string[] => [process.execPath, "-e", script];
  const { invoke, list, bill } = await start({
    limits: { startTimeoutMs: 300 },
    functions: [
      functionNamed("exits", { command: node("console.error('no model'); process.exit(4)") }),
      functionNamed("missing", { command: [join(folder, "no-such-program")] }),
      functionNamed("silent", { command: node("setInterval(() => {}, 1000)") }),
      functionNamed("uninitialized", { initializer: true, env: { FOLDER: folder, INITIALIZE: "404" } }),
    ],
  });
  for (const [name, code, text] of [
    ["exits", "CAExited", "no model"],
    ["missing", "CAFileNotFound", "ENOENT"],
    ["silent", "FunctionNotStarted", "did not answer in 300 ms"],
  ]) {
    const message = expect.stringContaining(text ?? "");
    await expect(invoke("a", { name: name ?? "" })).rejects.toMatchObject({ statusCode: 412, code, message });
  }
  expect(await list()).toEqual([]);
  expect((await bill()).total).toMatchObject({ calls: 0, errors: 3, cost: 0 });
});

it("answers 412 when the initializer fails", async () => {
  const env = { FOLDER: folder, INITIALIZE: "404" };
  const { invoke } = await start({ functions: [functionNamed("f", { initializer: true, env })] });
  await expect(invoke("a")).rejects.toMatchObject({
    statusCode: 412,
    code: "FunctionNotStarted",
    message: expect.stringMatching(/answered 404. Logs: no weights/),
  });
});

it("puts what the function printed during a call into the log tail", async () => {
  const { invoke } = await start();
  await eventually(async () => {
    const { headers } = await invoke("!log hello from the function");
    const tail = Buffer.from(headers["x-fc-log-result"] ?? "", "base64").toString();
    expect(tail).toMatch(/^hello from the function\n.*Billed Duration/);
  });
});

it("stops an instance that has been idle, after telling it", async () => {
  const { invoke, list } = await start({ idleMs: 30 });
  const id = (await invoke("a")).headers["x-fc-instance-id"] ?? "";
  await eventually(async () => expect(await list()).toEqual([]));
  expect(existsSync(join(folder, id))).toBe(true);
});

it("lets running calls end when it closes, refuses new ones, and leaves no process behind", async () => {
  const { host, invoke, busy, list } = await start({ maxInstances: 3 });
  const grandchild = Number((await invoke("!spawn")).body);
  const gate = newGate();
  const held = [invoke(gate.order), invoke(gate.order)];
  await busy(2);
  const pids = [grandchild, ...(await list()).map(({ pid }) => pid ?? 0)];
  expect(pids.every(isRunning)).toBe(true);
  const closed = host.close();
  await expect(invoke("a")).rejects.toMatchObject({ statusCode: 503 });
  gate.open();
  for (const { body } of await Promise.all(held)) expect(body.toString()).toBe("released");
  await closed;
  await eventually(() => expect(pids.some(isRunning)).toBe(false));
});

it("kills a function that ignores SIGTERM", async () => {
  const functions = [functionNamed("f", { env: { FOLDER: folder, STUBBORN: "1" } })];
  const { host, invoke, list } = await start({ functions, limits: { killAfterMs: 50 } });
  await invoke("a");
  const pid = (await list())[0]?.pid ?? 0;
  await host.close();
  expect(isRunning(pid)).toBe(false);
});

it("bills exactly what its answers said", async () => {
  const small = functionNamed("small", { vcpu: 0.5 });
  const large = functionNamed("large", { vcpu: 2, memoryMib: 4096 });
  const { invoke, bill, host } = await start({ functions: [small, large] });
  let cost = 0;
  for (const { name, vcpu, memoryMib } of [small, large, small, large, large]) {
    const { headers } = await invoke(randomBytes(20_000).fill(0, 0, 1), { name });
    const billedS = Number(headers["x-fc-invocation-duration"]) / 1000;
    cost += 0.00011 * (0.0075 + vcpu * billedS + (memoryMib / 1024) * 0.15 * billedS);
  }
  const { currency, functions, total } = await bill();
  expect(currency).toBe("CNY");
  expect(total.cost).toBeCloseTo(cost, 15);
  expect([functions["small"]?.calls, functions["large"]?.calls]).toEqual([2, 3]);
  expect(host.bill()).toMatchObject({ prices: "test", currency, functions, total });
});

it("refuses functions and bounds that cannot be used", () => {
  const log = pino({ level: "silent" });
  const make = (change: Partial<FunctionHostOptions>) => () =>
    createFunctionHost({ functions: [], accessKeys: {}, prices: cuSheet, log, ...change });
  expect(make({ functions: [functionNamed("f"), functionNamed("f")] })).toThrow(/"f" is used twice/);
  expect(make({ functions: [functionNamed("f", { command: [] })] })).toThrow(RangeError);
  expect(make({ functions: [functionNamed("f", { timeoutMs: 2 ** 31 })] })).toThrow(RangeError);
  expect(make({ maxInstances: 0 })).toThrow(RangeError);
  expect(make({ functions: [functionNamed("not a name")] })).toThrow(RangeError);
});
