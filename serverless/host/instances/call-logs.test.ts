import { expect, it } from "vitest";
import { CallLogs } from "./call-logs.ts";

it("gives lines that name a call to that call, and all others to every running call", async () => {
  const logs = new CallLogs();
  logs.line("listening");
  logs.begin("1-a");
  logs.line("FC Invoke Start RequestId: 1-a");
  logs.begin("1-b");
  logs.line("FC Invoke Start RequestId: 1-b");
  logs.line("loaded");
  logs.line("1-b took the long way");
  const settled = logs.settled("1-a");
  logs.line("FC Invoke End RequestId: 1-a");
  await settled;
  expect(logs.take("1-a").split("\n")).toEqual([
    "FC Invoke Start RequestId: 1-a",
    "loaded",
    "FC Invoke End RequestId: 1-a",
    "",
  ]);
  expect(logs.take("1-b")).toBe("FC Invoke Start RequestId: 1-b\nloaded\n1-b took the long way\n");
  expect(logs.recent).toContain("listening\nFC Invoke Start");
});

it("keeps the last 4,096 characters, and waits for no call that is not marked", async () => {
  const logs = new CallLogs();
  logs.begin("1-a");
  for (let line = 0; line < 1_000; line += 1) logs.line(`line ${line}`);
  await logs.settled("1-a");
  expect(logs.take("1-a")).toHaveLength(4_096);
  expect(logs.recent.endsWith("line 999\n")).toBe(true);
});
