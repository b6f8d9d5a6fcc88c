import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ApiKeyFile } from "./api-key-file.ts";
import { sha256Of } from "./api-keys.ts";

const sha256 = (secret: string): string => sha256Of(secret).toString("hex");
const line = (name: string, more = ""): string =>
  `- { name: ${name}, sha256: ${sha256(name)}, requestsPerS: 5${more} }\n`;

function opened(text: string) {
  const path = join(mkdtempSync(join(tmpdir(), "spillway-keys-")), "keys.yaml");
  writeFileSync(path, text);
  const logged: string[] = [];
  let nowMs = 0;
  const log = {
    info: () => {},
    error: (fields: unknown, text?: string) => void logged.push(JSON.stringify([fields, text])),
  };
  const file = new ApiKeyFile(path, () => nowMs, log);
  const later = (): string[] => {
    nowMs += 1_000;
    return file.keys().map(({ name }) => name);
  };
  return { path, file, logged, later };
}

it("follows the file, and what did not change keeps its counts", () => {
  const { path, file, later, logged } = opened(line("a"));
  const [a] = file.keys();
  writeFileSync(path, line("b") + line("a"));
  expect(later()).toEqual(["b", "a"]);
  expect(file.keys()[1]).toBe(a);
  writeFileSync(path, line("a", ", burst: 9"));
  expect(later()).toEqual(["a"]);
  expect(file.keys()[0]).not.toBe(a);
  writeFileSync(path, "");
  expect(later()).toEqual([]);
  expect(logged).toEqual([]);
});

it("keeps the last keys while the file is broken or gone, and says so once", () => {
  const { path, later, logged } = opened(line("a"));
  writeFileSync(path, "- { name: b }\n");
  expect([later(), later()]).toEqual([["a"], ["a"]]);
  expect(logged).toHaveLength(1);
  rmSync(path);
  expect([later(), later()]).toEqual([["a"], ["a"]]);
  expect(logged).toHaveLength(2);
  writeFileSync(path, line("c"));
  expect(later()).toEqual(["c"]);
});

it.each([
  ["a: 1", /expected a list of at most 256 keys/],
  ["[[[", /keys.yaml: /],
  ["- { name: a, sha256: 12, requestsPerS: 1 }", /key 1\.sha256: /],
  [`- { name: a, sha256: "${sha256("a").slice(1)}", requestsPerS: 1 }`, /key 1\.sha256: allowed: 64 hexa/],
  [`- { name: "a b", sha256: ${sha256("a")}, requestsPerS: 1 }`, /key 1\.name is "a b"; allowed: /],
  [`- { name: a, sha256: ${sha256("a")} }`, /key 1 has no rate; allowed: requestsPerS, rowsPerS/],
  [
    `- { name: a, sha256: ${sha256("a")}, requestsPerS: 0 }`,
    /key 1\.requestsPerS is 0; allowed: a number, above 0/,
  ],
  [line("a", ", scopes: [root]"), /key 1\.scopes\.0 is "root"; allowed: /],
  [line("a", ", key: secret"), /key 1 has an unknown key "key"/],
  [line("a") + line("b") + line("a"), /the name a is there twice/],
  [line("a") + line("b").replace(sha256("b"), sha256("a").toUpperCase()), /the sha256 .* is there twice/],
  [Array.from({ length: 257 }, (_, index) => line(`k${index}`)).join(""), /at most 256 keys/],
])("refuses %j", (text, message) => {
  expect(() => opened(text)).toThrow(message);
});

it("refuses a file that everybody can change, and what is no file", () => {
  const { path } = opened(line("a"));
  chmodSync(path, 0o646);
  const log = { info: () => {}, error: () => {} };
  expect(() => new ApiKeyFile(path, () => 0, log)).toThrow(/can be written by everybody/);
  expect(() => new ApiKeyFile("/dev/zero", () => 0, log)).toThrow(/is not a file/);
  expect(() => new ApiKeyFile(tmpdir(), () => 0, log)).toThrow(/is not a file|is a folder/);
  expect(() => new ApiKeyFile("/no/such", () => 0, log)).toThrow(/--api-keys: \/no\/such: /);
});
