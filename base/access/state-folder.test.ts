import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { adminTokenIn, defaultStateFolder } from "./state-folder.ts";

const newFolder = (): string => mkdtempSync(join(tmpdir(), "spillway-state-"));

// Slow, because a thread of the fast tests cannot set the umask.
it("makes folder and token for their owner alone, once, whatever the umask", { tags: ["slow"] }, () => {
  const folder = join(newFolder(), "a", "b");
  const before = process.umask(0);
  try {
    const { token, path } = adminTokenIn(folder);
    expect(token).toMatch(/^[\w-]{43}$/);
    expect([statSync(folder).mode & 0o777, statSync(path).mode & 0o777]).toEqual([0o700, 0o600]);
    expect(readFileSync(path, "utf8")).toBe(`${token}\n`);
    expect(adminTokenIn(folder).token).toBe(token);
    expect(readdirSync(folder)).toEqual(["admin-token"]);
  } finally {
    process.umask(before);
  }
});

it("takes a token that the operator wrote", () => {
  const folder = newFolder();
  writeFileSync(join(folder, "admin-token"), "chosen-by-a-person\r\n", { mode: 0o600 });
  expect(adminTokenIn(folder).token).toBe("chosen-by-a-person");
});

const withToken = (text: string, mode: number) => (folder: string) => {
  writeFileSync(join(folder, "admin-token"), text);
  chmodSync(join(folder, "admin-token"), mode);
};

it.each([
  ["a folder that others can write", (folder: string) => chmodSync(folder, 0o770), /chmod go-w/],
  [
    "a token that others can read",
    withToken("0123456789abcdef", 0o640),
    /admin-token: can be read by others/,
  ],
  ["an empty token", withToken("", 0o600), /holds no token/],
  ["a short token", withToken("0123456789abcde", 0o600), /holds no token/],
  ["a token of two words", withToken("0123456789 abcdef", 0o600), /holds no token/],
  ["a token without an end", withToken("x".repeat(100_000), 0o600), /holds no token/],
  ["a folder for a token", (folder: string) => mkdirSync(join(folder, "admin-token")), /is not a file/],
  [
    "a link to a token",
    (folder: string) => {
      writeFileSync(join(folder, "real"), "0123456789abcdef", { mode: 0o600 });
      symlinkSync(join(folder, "real"), join(folder, "admin-token"));
    },
    /admin-token: is a symbolic link/,
  ],
  [
    "a link to nothing, through which a token would be written elsewhere",
    (folder: string) => symlinkSync(join(folder, "elsewhere"), join(folder, "admin-token")),
    /is a symbolic link/,
  ],
])("refuses %s", (_, prepare, message) => {
  const folder = newFolder();
  prepare(folder);
  expect(() => adminTokenIn(folder)).toThrow(message);
  expect(existsSync(join(folder, "elsewhere"))).toBe(false);
});

it("refuses a file for a folder", () => {
  const file = join(newFolder(), "file");
  writeFileSync(file, "");
  expect(() => adminTokenIn(file)).toThrow(`${file}: is not a folder`);
});

it("ends where the system takes no folder", () => {
  expect(() => adminTokenIn("/proc/none/spillway")).toThrow(/^\/proc\/none\/spillway: /);
});

it("refuses what belongs to somebody else", () => {
  // Only root can give a folder away, and only root owns the top one.
  const isRoot = process.getuid?.() === 0;
  const folder = isRoot ? newFolder() : "/";
  if (isRoot) chownSync(folder, 12_345, 0);
  expect(() => adminTokenIn(folder)).toThrow(
    `belongs to user ${isRoot ? 12_345 : 0}; allowed: a folder of our own`,
  );
  if (!isRoot) return;
  const own = newFolder();
  const { path } = adminTokenIn(own);
  chownSync(path, 12_345, 0);
  expect(() => adminTokenIn(own)).toThrow("admin-token: belongs to user 12345; allowed: a file of our own");
});

it("is where systemd or XDG say, and where XDG would have it", () => {
  expect(defaultStateFolder({ STATE_DIRECTORY: "/var/lib/a:/var/lib/b", XDG_STATE_HOME: "/x" })).toBe(
    "/var/lib/a",
  );
  expect(defaultStateFolder({ XDG_STATE_HOME: "/x" })).toBe("/x/spillway");
  // A relative path is not valid there.
  expect(defaultStateFolder({ XDG_STATE_HOME: "x" })).toMatch(/\.local\/state\/spillway$/);
});
