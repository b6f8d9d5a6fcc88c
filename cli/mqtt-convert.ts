/** `spillway mqtt convert`: makes a rule file of one in the older form of plants. */
import { writeFileSync } from "node:fs";
import { showValue, whyUnwritable } from "../base/error-text.ts";
import { readYamlFile } from "../base/files.ts";
import { UsageError } from "../base/usage-error.ts";
import type { MqttConvertOptions } from "../client/daemon/ingress/mqtt/rules/convert/convert-options.ts";
import { convertRules } from "../client/daemon/ingress/mqtt/rules/convert/convert-rules.ts";
import { parseMqttConfig } from "../client/daemon/ingress/mqtt/rules/config/read-config.ts";

/** Exit status 0. What was not carried over is told on stderr. */
export async function runMqttConvert({ old, out }: MqttConvertOptions): Promise<number> {
  const { text, losses } = convertRules(readYamlFile(old), old);
  for (const loss of losses) process.stderr.write(`not carried over: ${old}: ${loss}\n`);
  // What is written can be read, whatever was given.
  parseMqttConfig(text, out ?? "stdout");
  if (out === undefined) process.stdout.write(text);
  else writeNew(out, text);
  return 0;
}

function writeNew(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: "wx" });
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === "EEXIST";
    const why = isThere ? "is there already; allowed: a new file" : whyUnwritable(error);
    throw new UsageError(`--out: ${showValue(path)} ${why}`, { cause: error });
  }
}
