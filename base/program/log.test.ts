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
    const log = createLog("test", { logLevel: "info", logFormat }, full);
    for (let line = 0; line < 100; line++) log.info({ line }, "lost");
    await new Promise((resolve) => setImmediate(resolve));
    closeSync(full);
    expect(faults).toEqual([]);
  },
);

it.each(["json", "pretty"] as const)("writes each line at once, as %s", (logFormat) => {
  const path = join(mkdtempSync(join(tmpdir(), "spillway-log-")), "log");
  const file = openSync(path, "w");
  createLog("test", { logLevel: "info", logFormat }, file).info({ kept: 1 }, "line");
  closeSync(file);
  expect(readFileSync(path, "utf8")).toMatch(/kept.*1/);
});
