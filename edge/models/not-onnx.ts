/** Says of a file that is plainly no ONNX model what it is, since the parser's own words say only that it failed. */
import { closeSync, openSync, readSync } from "node:fs";

const readBytes = 256;

/**
 * @example
 * whyNotOnnx("model.onnx"); // "it is a Git LFS pointer, not the model itself; git lfs pull fetches that"
 *
 * @returns undefined when the file may be a model, or cannot be read, of which others tell
 */
export function whyNotOnnx(path: string): string | undefined {
  const head = headOf(path);
  if (head === undefined) return undefined;
  if (head.length === 0) return "the file is empty";
  const text = head.toString("latin1").trimStart();
  if (text.startsWith("version https://git-lfs.github.com/"))
    return "it is a Git LFS pointer, not the model itself; git lfs pull fetches that";
  if (/^<(?:!doctype|html|\?xml)/i.test(text)) return "it is a web page, not a model; was it downloaded?";
  if (text.startsWith("PK\u0003\u0004")) return "it is a zip, not a model; unpack it";
  if (text.startsWith("\u001f\u008b")) return "it is packed with gzip; unpack it";
  if (text.startsWith("/annex/objects/") || text.startsWith("../../.git/annex/"))
    return "it is a git-annex pointer, not the model itself; git annex get fetches that";
  return undefined;
}

function headOf(path: string): Buffer | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    const head = Buffer.alloc(readBytes);
    return head.subarray(0, readSync(file, head, 0, readBytes, 0));
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
