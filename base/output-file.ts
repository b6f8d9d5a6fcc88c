/**
 * Files that are written as a whole: the bytes go to another file in the same folder, which takes the name once it is
 * whole. So nobody reads half a file, and a full disk leaves what was there before.
 */
import { randomBytes } from "node:crypto";
import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { whyUnwritable } from "./error-text.ts";
import { UsageError } from "./usage-error.ts";

/** A file that is not there yet under its own name. */
export interface OutputFile {
  /** Where to write; whoever opened the file closes it before `publish`. */
  readonly fd: number;
  /** The file takes its name, in place of one that has it. A symbolic link is replaced, never followed. */
  publish(): void;
  /** Nothing remains of the file. Never throws. */
  discard(): void;
}

/** Characters of a file's name that the name of its unfinished form repeats. */
const mostNameChars = 100;

/**
 * A new file for `path`. A device or a pipe is opened as it is.
 *
 * @param mode permissions; undefined: those of the file that is replaced, else the usual ones
 * @throws Error of the file system
 */
export function openOutputFile(path: string, mode?: number): OutputFile {
  const before = statSync(path, { throwIfNoEntry: false });
  if (before?.isDirectory() === true) throw isFolder();
  if (isNoFile(path, before)) {
    return { fd: openSync(path, constants.O_WRONLY), publish: () => {}, discard: () => {} };
  }
  const name = `.${basename(path).slice(0, mostNameChars)}.${randomBytes(6).toString("hex")}.tmp`;
  const unfinished = join(dirname(path), name);
  const fd = openSync(unfinished, "wx", mode ?? 0o666);
  if (mode === undefined && before !== undefined) fchmodSync(fd, before.mode & 0o777);
  return {
    fd,
    publish: () => {
      renameSync(unfinished, path);
    },
    discard: () => rmSync(unfinished, { force: true }),
  };
}

function isFolder(): Error {
  return Object.assign(new Error("it is a folder"), { code: "EISDIR" });
}

/** What cannot be replaced, such as /dev/null, or /dev/stdout wherever that leads. */
function isNoFile(path: string, found: ReturnType<typeof statSync>): boolean {
  return (found !== undefined && !found.isFile()) || /^\/(dev\/(?!shm\/)|proc\/)/.test(resolve(path));
}

/**
 * Writes a whole file. It is on the disk when this returns.
 *
 * @param mode as in `openOutputFile`
 * @throws Error of the file system; the file is then as it was before
 */
export function replaceFile(path: string, text: string, mode?: number): void {
  const file = openOutputFile(path, mode);
  try {
    try {
      writeFileSync(file.fd, text);
      syncFile(file.fd);
    } finally {
      closeSync(file.fd);
    }
    file.publish();
  } catch (error) {
    file.discard();
    throw error;
  }
  syncFolder(dirname(path));
}

/** Devices and pipes have nothing to be brought to a disk. */
function syncFile(fd: number): void {
  try {
    fsyncSync(fd);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EINVAL" && code !== "ENOTSUP" && code !== "EROFS") throw error;
  }
}

/** The new name is on the disk once the folder is. Windows cannot open folders. */
function syncFolder(path: string): void {
  if (process.platform === "win32") return;
  const folder = openSync(path, "r");
  try {
    syncFile(folder);
  } finally {
    closeSync(folder);
  }
}

/**
 * Like `replaceFile`, for a file that a user names.
 *
 * @param place what messages call the file, such as `--profile: p.json`
 * @throws UsageError that names the place
 */
export function writeTextFile(path: string, text: string, place = path): void {
  try {
    replaceFile(path, text);
  } catch (error) {
    throw new UsageError(`${place}: ${whyUnwritable(error)}`);
  }
}

/**
 * Checks before the work that its result can be written.
 *
 * @throws UsageError that names the flag when no file can be made there
 */
export function checkFolder(flag: string, path: string | undefined): void {
  if (path === undefined) return;
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory() === true) throw isFolder();
    accessSync(isNoFile(path, found) ? path : dirname(path), constants.W_OK);
  } catch (error) {
    throw new UsageError(`${flag}: ${path}: ${whyUnwritable(error)}`);
  }
}
