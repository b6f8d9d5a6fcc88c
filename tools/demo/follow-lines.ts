/** Follows a file that others write: each whole line that is added, a moment after it was written. */
import { closeSync, openSync, readSync } from "node:fs";

const lookEveryMs = 100;

/** @returns ends the following; lines that were written until then are told before it returns */
export function followLines(path: string, onLine: (line: string) => void): () => void {
  const file = openSync(path, "r");
  const chunk = Buffer.alloc(65_536);
  const decoder = new TextDecoder();
  let rest = "";
  const look = (): void => {
    for (let size = readSync(file, chunk); size > 0; size = readSync(file, chunk)) {
      const lines = (rest + decoder.decode(chunk.subarray(0, size), { stream: true })).split("\n");
      rest = lines.pop() as string;
      for (const line of lines) onLine(line);
    }
  };
  const timer = setInterval(look, lookEveryMs);
  return () => {
    clearInterval(timer);
    look();
    closeSync(file);
  };
}
