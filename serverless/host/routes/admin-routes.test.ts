import { expect, it } from "vitest";
import { functionNamed, start } from "../../../test/support/function-host.ts";

async function startWithFaults() {
  let nowMs = 0;
  const host = await start({ functions: [functionNamed("f"), functionNamed("g")], nowMs: () => nowMs });
  const admin = async (method: string, path: string, body?: object, headers = {}): Promise<Response> =>
    fetch(`http://${host.endpoint}/admin/${path}`, {
      method,
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const advance = (ms: number): void => {
    nowMs += ms;
  };
  return { ...host, admin, advance };
}

it("throttles one function or all for as long as it is told to", async () => {
  const { invoke, admin, advance, bill } = await startWithFaults();
  const set = await admin("POST", "faults", { throttle: 1, seconds: 10, function: "f" });
  expect(await set.json()).toEqual([{ throttle: 1, function: "f", secondsLeft: 10 }]);
  const throttled = { statusCode: 429, code: "ResourceExhausted" };
  await expect(invoke("a")).rejects.toMatchObject(throttled);
  expect((await invoke("a", { name: "g" })).status).toBe(200);
  advance(10_000);
  expect((await invoke("a")).status).toBe(200);
  await admin("POST", "faults", { throttle: 1 });
  await expect(invoke("a", { name: "g" })).rejects.toMatchObject(throttled);
  const none = await admin("POST", "faults", { seconds: 5 });
  expect([none.status, await none.text()]).toEqual([
    400,
    expect.stringContaining("at least one of throttle"),
  ]);
  expect(await (await admin("DELETE", "faults")).json()).toEqual([]);
  expect((await invoke("a", { name: "g" })).status).toBe(200);
  expect((await bill()).total).toMatchObject({ calls: 3, errors: 0 });
});

it("kills instances during their calls, and makes calls slow, which is billed", async () => {
  const { invoke, admin, bill } = await startWithFaults();
  await admin("POST", "faults", { crash: 1, function: "f" });
  await expect(invoke("a")).rejects.toMatchObject({ statusCode: 412, code: "CAExited" });
  await admin("DELETE", "faults");
  await admin("POST", "faults", { slow: { ms: 30, factor: 2 } });
  const { headers } = await invoke("a");
  expect(Number(headers["x-fc-invocation-duration"])).toBeGreaterThanOrEqual(30);
  expect((await bill()).functions["f"]?.billedMs).toBeGreaterThanOrEqual(30);
});

it("ends a slowed call at its function's time limit", async () => {
  const { invoke } = await start({ functions: [functionNamed("f", { timeoutMs: 50 })] }).then(
    async (host) => {
      await fetch(`http://${host.endpoint}/admin/faults`, {
        method: "POST",
        body: JSON.stringify({ slow: { ms: 60_000 } }),
      });
      return host;
    },
  );
  const answer = await invoke("a");
  expect(answer.body.toString()).toContain("timed out after 0.05 seconds");
});

it("makes all instances cold once, or every call", async () => {
  const { invoke, admin } = await startWithFaults();
  const isCold = async (): Promise<boolean> =>
    (await invoke("a")).headers["x-spillway-cold-start-ms"] !== "0";
  expect([await isCold(), await isCold()]).toEqual([true, false]);
  expect(await (await admin("POST", "faults", { cold: "once" })).json()).toEqual([]);
  expect([await isCold(), await isCold()]).toEqual([true, false]);
  await admin("POST", "faults", { cold: "every" });
  expect([await isCold(), await isCold()]).toEqual([true, true]);
});

it("refuses faults that make no sense, and functions that do not exist", async () => {
  const { admin } = await startWithFaults();
  for (const [fault, text] of [
    [{ throttle: 2 }, "throttle is 2; allowed: 0 to 1"],
    [{ slow: { factor: 0 } }, "slow.factor is 0; allowed: 1 to 1000"],
    [{ trotthle: 1 }, "allowed: { function?"],
    [{ function: "h", crash: 1 }, "function h does not exist"],
  ] as const) {
    expect(((await (await admin("POST", "faults", fault)).json()) as { Message: string }).Message).toContain(
      text,
    );
  }
});

it("shows its functions and faults, without a token to programs on this machine only", async () => {
  const { admin } = await startWithFaults();
  expect(await (await admin("GET", "status")).json()).toMatchObject({
    functions: [{ name: "f", vcpu: 1, memoryMib: 512, deployed: false }, { name: "g" }],
    faults: [],
  });
  const foreign = { origin: "http://a.page" };
  expect((await admin("POST", "faults", { crash: 1 }, foreign)).status).toBe(403);
});

it("asks for its token where it has one", async () => {
  const { endpoint } = await start({ adminToken: "a token of some length" });
  const status = async (headers: Record<string, string>): Promise<number> =>
    (await fetch(`http://${endpoint}/admin/status`, { headers })).status;
  expect([await status({}), await status({ authorization: "Bearer a token of some length" })]).toEqual([
    401, 200,
  ]);
});
