/** What an entry of a zip from a stranger must be, whoever unpacks it. */
import type { Entry } from "yauzl";
import { showValue } from "../../base/error-text.ts";

const fileTypeMask = 0o170000;
const regularFile = 0o100000;
const folderType = 0o040000;

/** @throws Error that names an entry which is a link, a device or encrypted */
export function checkZipEntry(entry: Entry): void {
  const name = entry.fileName;
  // Zips that were not made on Unix have file type 0.
  const type = (entry.externalFileAttributes >>> 16) & fileTypeMask;
  if (type !== 0 && type !== regularFile && type !== folderType)
    throw new Error(`${showValue(name)} in the zip is a link or a device; allowed: files and folders`);
  if (entry.isEncrypted()) throw new Error(`${showValue(name)} in the zip is encrypted`);
}
