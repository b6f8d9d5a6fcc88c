import { readFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { executable } from "../support/built.ts";

const slow = { tags: ["slow"] };
let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "spillway-joined-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Modules of the packages of NATS that the daemon has loaded when it ends. */
async function loadedModules(flags: readonly string[]): Promise<string[]> {
  const [told, hook] = [join(folder, "loaded.json"), join(folder, "hook.cjs")];
  writeFileSync(
    hook,
    `process.on("exit", () => require("fs").writeFileSync(${JSON.stringify(told)}, JSON.stringify(Object.keys(require("module")._cache))));`,
  );
  const args = ["--require", hook, executable, "vqueue", "--port", "0", "--no-serverless", ...flags];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.on("data", (text: Buffer) => (log += text.toString()));
  const ended = once(child, "close");
  await expect.poll(() => log).toMatch(/trying again|cannot be reached/);
  child.kill("SIGTERM");
  await ended;
  const modules = JSON.parse(readFileSync(told, "utf8")) as string[];
  return modules.filter((path) => path.includes("@nats-io"));
}

it("without --join nothing of NATS is loaded, with it everything", slow, async () => {
  const flags = ["--edge", "http://127.0.0.1:9", "--calibrate", "0"];
  expect(await loadedModules(flags)).toEqual([]);
  expect((await loadedModules([...flags, "--join", "127.0.0.1:9"])).length).toBeGreaterThan(10);
});
