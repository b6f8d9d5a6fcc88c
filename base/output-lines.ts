/** Text lines of a child process, each of bounded length, so that a program that never ends a line costs nothing. */
import type { Readable } from "node:stream";

/** Hand every line of a stream to `onLine`, cut after `maxChars` characters; the last may lack its newline. */
export function forEachLine(stream: Readable, maxChars: number, onLine: (line: string) => void): void {
  let line = "";
  const emit = (): void => {
    const text = line.length > maxChars ? `${line.slice(0, maxChars)}…` : line;
    line = "";
    onLine(text.endsWith("\r") ? text.slice(0, -1) : text);
  };
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    for (const [index, piece] of chunk.split("\n").entries()) {
      if (index > 0) emit();
      // One character more than is kept tells a cut line from one that just fits.
      line += piece.slice(0, maxChars + 1 - line.length);
    }
  });
  stream.on("end", () => {
    if (line !== "") emit();
  });
  // A broken pipe means that the child is gone, which its exit reports.
  stream.on("error", () => undefined);
}
