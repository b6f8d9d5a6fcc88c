import { existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { pino } from "pino";
import { expect, it, vi } from "vitest";
import { CodeFolders } from "./code-folders.ts";

it("goes on when a folder cannot be removed, says so, and removes what can be", async () => {
  const log = pino({ level: "silent" });
  const warned = vi.spyOn(log, "warn");
  const folders = new CodeFolders(log);
  const [one, other] = [await folders.newPath("f"), await folders.newPath("f")];
  for (const path of [one, other]) mkdirSync(join(path, "lib"), { recursive: true });
  // No rights keep root from removing a folder, but no file system has a name as long as this one.
  const path = join(one, "x".repeat(300));
  await folders.remove(path);
  expect(warned).toHaveBeenCalledExactlyOnceWith(
    { err: expect.objectContaining({ code: "ENAMETOOLONG" }), path },
    expect.stringContaining("could not be removed"),
  );
  await folders.remove(one);
  expect([existsSync(one), existsSync(other)]).toEqual([false, true]);
  await folders.removeAll();
  expect(existsSync(dirname(other))).toBe(false);
});
