import { closeSync, mkdtempSync, openSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createLog } from "./log.ts";

it.each(["json", "pretty"] as const)(
  "leaves out lines that a full disk does not take, as %s",
  async (logFormat) => {
    const faults: unknown[] = [];
    const note = (error: unknown): void => void faults.push(error);
    process.on("uncaughtException", note);
    const full = openSync("/dev/full", "w");
    const log = await createLog("test", { logLevel: "info", logFormat }, { fd: full });
    for (let line = 0; line < 100; line++) log.info({ line }, "lost");
    await new Promise((resolve) => setImmediate(resolve));
    closeSync(full);
    expect(faults).toEqual([]);
  },
);

it.each(["json", "pretty"] as const)("writes each line at once, as %s", async (logFormat) => {
  const path = join(mkdtempSync(join(tmpdir(), "spillway-log-")), "log");
  const file = openSync(path, "w");
  (await createLog("test", { logLevel: "info", logFormat }, { fd: file })).info({ kept: 1 }, "line");
  closeSync(file);
  expect(readFileSync(path, "utf8")).toMatch(/kept.*1/);
});

it("gathers lines that come close together, in their order, and writes a warning with all before it at once", async () => {
  const path = join(mkdtempSync(join(tmpdir(), "spillway-log-")), "log");
  const file = openSync(path, "w");
  const messages = (): string[] =>
    readFileSync(path, "utf8")
      .split("\n")
      .slice(0, -1)
      .map((line) => (JSON.parse(line) as { msg: string }).msg);
  const log = await createLog("test", { logLevel: "info", logFormat: "json" }, { fd: file, gathers: true });
  log.info("first");
  expect(messages()).toEqual(["first"]);
  log.info("second");
  log.info("third");
  log.warn("fourth");
  expect(messages()).toEqual(["first", "second", "third", "fourth"]);
  log.info("fifth");
  await expect.poll(messages).toEqual(["first", "second", "third", "fourth", "fifth"]);
  log.info("sixth");
  log.info("seventh");
  log.flush();
  expect(messages()).toHaveLength(7);
  closeSync(file);
});
