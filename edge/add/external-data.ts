/** The files beside an ONNX file that hold its weights, found by what protobuf writes before their names. */
import { closeSync, openSync, readSync } from "node:fs";
import { isAbsolute, normalize } from "node:path";

/** An entry `location` of a tensor's external data: its key, and the tag of the value that follows. */
const marker = Buffer.from("\n\blocation\u0012", "latin1");
const chunkBytes = 4 * 2 ** 20;
const longestName = 127;
/** Most files of one model. */
const mostFiles = 4_096;

/**
 * The names in the order in which they first occur, relative to the model's folder.
 *
 * @example
 * externalDataOf("model.onnx"); // ["model.onnx.data"]
 *
 * @throws Error when the file cannot be read, or names a place outside its folder
 */
export function externalDataOf(path: string): string[] {
  const file = openSync(path, "r");
  const names = new Set<string>();
  try {
    const buffer = Buffer.alloc(chunkBytes);
    // A name that a chunk cuts is found in the next one, which begins before it.
    const overlap = marker.length + 1 + longestName;
    for (let at = 0; ; at += chunkBytes - overlap) {
      const chunk = buffer.subarray(0, readSync(file, buffer, 0, chunkBytes, at));
      for (let found = chunk.indexOf(marker); found !== -1; found = chunk.indexOf(marker, found + 1)) {
        const start = found + marker.length + 1;
        const length = chunk[start - 1] ?? 0;
        if (length > longestName || start + length > chunk.length) continue;
        names.add(chunk.toString("utf8", start, start + length));
      }
      if (chunk.length < chunkBytes || names.size > mostFiles) break;
    }
  } finally {
    closeSync(file);
  }
  for (const name of names) {
    if (isAbsolute(name) || normalize(name).startsWith(".."))
      throw new Error(`${path}: its weights are in "${name}", which is outside its folder`);
  }
  return [...names];
}
