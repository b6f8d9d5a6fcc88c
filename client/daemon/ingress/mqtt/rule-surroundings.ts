/** What rules need of the world: keys of devices, from files and the environment, and random numbers. */
import { randomBytes } from "node:crypto";
import { parse as parseYaml } from "yaml";
import { showValue } from "../../../../base/error-text.ts";
import { readTextFile } from "../../../../base/files.ts";
import type { Environment } from "../../../../base/program/secrets.ts";
import { UsageError } from "../../../../base/usage-error.ts";
import { bytesFromBase64, bytesFromHex } from "./rules/coding/bytes-text.ts";
import { keyBytes } from "./rules/coding/encrypt.ts";
import type { RuleSurroundings } from "./rules/compiled-rule.ts";
import type { MqttConfig } from "./rules/config/mqtt-config.ts";

/** A key for every device, or one for each. */
type Keys = Uint8Array | ReadonlyMap<string, Uint8Array>;

/**
 * Reads the keys that the rules name.
 *
 * @throws UsageError that names the file or variable, and repeats no key
 */
export function ruleSurroundings(config: MqttConfig, env: Environment): RuleSurroundings {
  const keysByRule = new Map<string, Keys>();
  for (const { name, enabled, coding } of config.rules) {
    const keys = enabled && coding?.encryption === "aes-256-gcm" ? coding.keys : undefined;
    if (keys?.file !== undefined) keysByRule.set(name, readKeys(readTextFile(keys.file), keys.file));
    else if (keys?.env !== undefined) {
      const text = env[keys.env];
      if (text === undefined) throw new UsageError(`rule ${name} needs ${keys.env} in the environment`);
      keysByRule.set(name, readKeys(text, `${keys.env} in the environment`));
    }
  }
  return {
    keyOf: (rule, device) => {
      const keys = keysByRule.get(rule);
      if (keys === undefined || keys instanceof Uint8Array) return keys;
      return device === undefined ? undefined : keys.get(device);
    },
    randomBytes: (count) => randomBytes(count),
  };
}

/** Either one key, or lines such as `press-2: KEY`. */
function readKeys(text: string, place: string): Keys {
  const single = keyIn(text.trim());
  if (single !== undefined) return single;
  let content: unknown;
  try {
    content = parseYaml(text, { schema: "failsafe" });
  } catch {
    // Its message would show what is in the file.
    content = undefined;
  }
  if (typeof content !== "object" || content === null || Array.isArray(content))
    throw new UsageError(
      `${place} holds no keys; allowed: a key, or DEVICE: KEY for each device, as YAML or JSON`,
    );
  return new Map(
    Object.entries(content).map(([device, value]) => {
      const key = typeof value === "string" ? keyIn(value.trim()) : undefined;
      if (key !== undefined) return [device, key] as const;
      throw new UsageError(
        `${place}: the key of ${showValue(device)} is not valid; allowed: ${keyBytes} bytes in base64 or hexadecimal`,
      );
    }),
  );
}

function keyIn(text: string): Uint8Array | undefined {
  const key = /^[0-9a-fA-F]{64}$/.test(text) ? bytesFromHex(text) : bytesFromBase64(text);
  return key?.length === keyBytes ? key : undefined;
}
