/** A function's code: from the base64 of a request to an unpacked folder, bounded and checked. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { unpackZip } from "../../../edge/install/unpack-zip.ts";
import { packageLimits } from "../../prices/fc-limits.ts";
import { FcRefusal } from "../fc-refusal.ts";
import { crc64 } from "./crc64.ts";
import type { CodeInput } from "./function-settings.ts";

/** Ours: Function Compute takes 10 GB, as instances of its own have disks of their own. */
const maxUnpackedBytes = 2 ** 30;

export interface CodePackage {
  /** Where it is unpacked: the host's own, to be removed with it. */
  readonly folder: string;
  /** Bytes of the zip. */
  readonly bytes: number;
  /** CRC-64 of the zip, decimal. */
  readonly checksum: string;
}

/**
 * Unpack into a new folder, which is gone again when this fails.
 *
 * @throws FcRefusal InvalidArgument that says what is wrong with the package, EntityTooLarge
 */
export async function unpackCode({ zipFile, checksum }: CodeInput, folder: string): Promise<CodePackage> {
  const { zippedBytes: most } = packageLimits;
  if (zipFile.length > most)
    throw new FcRefusal("EntityTooLarge", `code.zipFile has ${zipFile.length} bytes; allowed: ${most}`);
  const zip = Buffer.from(zipFile, "base64");
  const actual = crc64(zip);
  if (checksum !== undefined && checksum !== actual) {
    throw new FcRefusal(
      "InvalidArgument",
      `code.checksum is ${checksum}; the CRC-64 of the zip is ${actual}`,
    );
  }
  const zipPath = `${folder}.zip`;
  try {
    await mkdir(folder);
    await writeFile(zipPath, zip);
    await unpackZip(zipPath, folder, { maxBytes: maxUnpackedBytes, keepExecutable: true });
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw new FcRefusal("InvalidArgument", `code.zipFile cannot be unpacked: ${(error as Error).message}`);
  } finally {
    await rm(zipPath, { force: true });
  }
  return { folder, bytes: zip.length, checksum: actual };
}
