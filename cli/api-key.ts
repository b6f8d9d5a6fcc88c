/** The command `api-key`: makes a key, which is shown once, and the line by which servers know it. */
import { appendFileSync } from "node:fs";
import { parse } from "yaml";
import { apiKeysIn, newSecret, sha256Of } from "../base/access/api-keys.ts";
import type { ApiKeyOptions } from "../base/access/key-options.ts";
import { whyUnwritable } from "../base/error-text.ts";
import { readIfThere } from "../base/files.ts";
import { UsageError } from "../base/usage-error.ts";

const defaultRequestsPerS = 100;

/** @throws UsageError when the file cannot be written, or holds what is no list of keys, or the name already */
export function runApiKey(options: ApiKeyOptions): Promise<number> {
  const { name, scopes, rowsPerS, burst, file } = options;
  const requestsPerS = options.requestsPerS ?? (rowsPerS === undefined ? defaultRequestsPerS : undefined);
  const secret = newSecret("spw_");
  const sha256 = sha256Of(secret).toString("hex");
  // JSON is YAML. Fields that are undefined are left out.
  const line = `- ${JSON.stringify({ name, sha256, scopes, requestsPerS, rowsPerS, burst })}\n`;
  if (file !== undefined) append(file, line);
  else
    process.stderr.write(
      `append this line to the file of --api-keys:\n${line}the key, which is kept nowhere:\n`,
    );
  process.stdout.write(`${secret}\n`);
  return Promise.resolve(0);
}

function append(file: string, line: string): void {
  const before = readIfThere(file) ?? "";
  const added = before === "" || before.endsWith("\n") ? line : `\n${line}`;
  try {
    apiKeysIn(parse(before + added), 0);
  } catch (error) {
    throw new UsageError(`${file}: ${(error as Error).message.split("\n")[0]}`);
  }
  try {
    appendFileSync(file, added, { mode: 0o600 });
  } catch (error) {
    throw new UsageError(`${file}: ${whyUnwritable(error)}`);
  }
}
