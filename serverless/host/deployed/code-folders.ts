/** The code of deployed functions: unpacks zips into folders below a temporary folder of the host, and removes them. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Logger } from "pino";
import { unpackZip } from "../../../edge/install/unpack-zip.ts";
import { packageLimits } from "../../prices/fc-limits.ts";
import { FcRefusal } from "../fc-refusal.ts";
import { crc64 } from "./crc64.ts";
import type { CodeInput } from "./function-settings.ts";

/** The host's own limit. Function Compute takes 10 GB, because its instances have disks of their own. */
const maxUnpackedBytes = 2 ** 30;

export interface CodePackage {
  /** Where it is unpacked. */
  readonly folder: string;
  /** Bytes of the zip. */
  readonly bytes: number;
  /** CRC-64 of the zip, decimal. */
  readonly checksum: string;
}

export class CodeFolders {
  readonly #log: Pick<Logger, "warn">;
  #root: string | undefined;
  #made = 0;

  constructor(log: Pick<Logger, "warn">) {
    this.#log = log;
  }

  /**
   * Unpack a function's code into a new folder. Nothing of it remains when this fails.
   * @throws FcRefusal InvalidArgument that says what is wrong with the zip, EntityTooLarge
   */
  async unpack(name: string, { zipFile, checksum }: CodeInput): Promise<CodePackage> {
    const { zippedBytes: maxBytes } = packageLimits;
    if (zipFile.length > maxBytes)
      throw new FcRefusal("EntityTooLarge", `code.zipFile has ${zipFile.length} bytes; allowed: ${maxBytes}`);
    const zip = Buffer.from(zipFile, "base64");
    const actual = crc64(zip);
    if (checksum !== undefined && checksum !== actual) {
      const message = `code.checksum is ${checksum}; the CRC-64 of the zip is ${actual}`;
      throw new FcRefusal("InvalidArgument", message);
    }
    const folder = await this.newPath(name);
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

  /** An unused path below the host's folder. */
  async newPath(name: string): Promise<string> {
    this.#root ??= await mkdtemp(join(tmpdir(), "spillway-functions-"));
    return join(this.#root, `${name}-${(this.#made += 1)}`);
  }

  /** Never rejects: a process may still write to the folder, so that `removeAll` has to try once more. */
  async remove(path: string): Promise<void> {
    try {
      await rm(path, { recursive: true, force: true });
    } catch (error) {
      this.#log.warn({ err: error, path }, "code of a function could not be removed");
    }
  }

  async removeAll(): Promise<void> {
    if (this.#root !== undefined) await this.remove(this.#root);
  }
}
