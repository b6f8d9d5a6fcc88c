import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ruleFile } from "../../../../test/support/mqtt-rules.ts";
import type { RuleSurroundings } from "./rules/compiled-rule.ts";
import { parseMqttConfig } from "./rules/config/read-config.ts";
import { ruleSurroundings } from "./rule-surroundings.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-keys-"));
const key = Buffer.alloc(32, 1);
const other = Buffer.alloc(32, 2);

function surroundingsFor(keys: object, env: Record<string, string> = {}): RuleSurroundings {
  const rule = { name: "r", device: "topic[1]", coding: { encryption: "aes-256-gcm", keys } };
  return ruleSurroundings(parseMqttConfig(ruleFile([rule]), "rules.yaml"), env);
}

function fileOf(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

it("has a key for each device of a file or variable, in base64 or hexadecimal", () => {
  const text = `press-2: ${key.toString("base64")}\n压机3: "${other.toString("hex")}"\n`;
  for (const { keyOf } of [
    surroundingsFor({ file: fileOf("keys.yaml", text) }),
    surroundingsFor(
      { env: "KEYS" },
      { KEYS: JSON.stringify({ "press-2": key.toString("base64"), 压机3: other.toString("hex") }) },
    ),
  ]) {
    expect(keyOf("r", "press-2")).toEqual(key);
    expect(keyOf("r", "压机3")).toEqual(other);
    expect([
      keyOf("r", "press-4"),
      keyOf("r", undefined),
      keyOf("r", "__proto__"),
      keyOf("s", "press-2"),
    ]).toEqual([undefined, undefined, undefined, undefined]);
  }
});

it("takes one key for all devices", () => {
  const { keyOf } = surroundingsFor({ file: fileOf("key", `${key.toString("hex")}\n`) });
  expect([keyOf("r", "a"), keyOf("r", "b")]).toEqual([key, key]);
});

it.each<[string, RegExp]>([
  ["press-2: c2VjcmV0\n", /the key of "press-2" is not valid; allowed: 32 bytes in base64 or hexadecimal$/],
  ["c2VjcmV0", /holds no keys; allowed: a key, or DEVICE: KEY/],
  ["c2VjcmV0: [", /holds no keys/],
])("refuses %j, and repeats no key", (text, fault) => {
  const path = fileOf("bad.yaml", text);
  const attempt = (): unknown => surroundingsFor({ file: path });
  expect(attempt).toThrow(fault);
  expect(attempt).not.toThrow(/c2VjcmV0/);
});

it("names the file or variable that is missing", () => {
  expect(() => surroundingsFor({ file: join(folder, "nothing") })).toThrow(/nothing: no such file/);
  expect(() => surroundingsFor({ env: "KEYS" })).toThrow(/rule r needs KEYS in the environment/);
});
