/** A digest of a compiled module and all modules that it imports, directly or not: it changes when what the module does may. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** The path of each static or dynamic import of a file of ours. */
const importPattern = /(?:from|import)\s*\(?\s*"(\.[^"]+)"/g;

/**
 * @param entry path of a module in the folder of all of them
 * @param except one that is left out, with all that nothing else imports
 */
export function moduleDigest(folder: URL, entry: string, except?: string): string {
  const left = except === undefined ? undefined : new URL(except, folder).href;
  const seen = new Map<string, string>();
  const open = [new URL(entry, folder)];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (seen.has(file.href) || file.href === left) continue;
    const text = readFileSync(file, "utf8");
    seen.set(file.href, text);
    for (const [, path = ""] of text.matchAll(importPattern)) open.push(new URL(path, file));
  }
  const hash = createHash("sha256");
  for (const [href, text] of [...seen].toSorted(([a], [b]) => (a < b ? -1 : 1)))
    hash.update(JSON.stringify([href.slice(folder.href.length), text]));
  return hash.digest("hex");
}
