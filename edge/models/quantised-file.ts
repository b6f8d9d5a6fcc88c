/** Finds out whether an ONNX file quantises by the range of its inputs while it runs, so that company changes answers a little. */
import { closeSync, openSync, readSync } from "node:fs";

/** What the names of all such operators begin with: of ONNX and of ONNX Runtime's own. */
const operator = "DynamicQuantize";
const chunkBytes = 2 ** 20;
/** Larger files are not searched. */
const mostChunks = 1_024;

export function quantisesDynamically(path: string): boolean {
  const file = openSync(path, "r");
  try {
    const overlap = operator.length - 1;
    const chunk = Buffer.alloc(chunkBytes + overlap);
    for (let index = 0; index < mostChunks; index++) {
      const read = readSync(file, chunk, 0, chunk.length, index * chunkBytes);
      if (chunk.subarray(0, read).includes(operator)) return true;
      if (read < chunk.length) return false;
    }
    return false;
  } finally {
    closeSync(file);
  }
}
