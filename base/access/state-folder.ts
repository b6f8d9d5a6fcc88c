/** The folder in which a program keeps what must outlive it and what nobody else may read: today the admin token. */
import { randomUUID } from "node:crypto";
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { newSecret } from "./api-keys.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface AdminToken {
  readonly token: string;
  /** Where it is kept. */
  readonly path: string;
}

const tokenName = "admin-token";
const tokenForm = /^[\x21-\x7e]{16,512}$/;
const mostTokenBytes = 1_024;

/** The folder that systemd (`StateDirectory=`) gives, else `spillway` in the one that XDG names. */
export function defaultStateFolder(env: Environment): string {
  // Of several folders, the first one.
  const given = env["STATE_DIRECTORY"]?.split(":")[0];
  if (given !== undefined && isAbsolute(given)) return given;
  const xdg = env["XDG_STATE_HOME"];
  return join(xdg !== undefined && isAbsolute(xdg) ? xdg : join(homedir(), ".local", "state"), "spillway");
}

/**
 * The admin token of a state folder. Folder and token are made when they are missing, for their owner alone.
 *
 * @throws Error that names the path when the folder or the token is not ours alone or cannot be used
 */
export function adminTokenIn(folder: string): AdminToken {
  checkFolder(folder);
  const path = join(folder, tokenName);
  try {
    return { token: readToken(path), path };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw named(path, error);
  }
  try {
    writeToken(path);
    return { token: readToken(path), path };
  } catch (error) {
    throw named(path, error);
  }
}

function checkFolder(folder: string): void {
  try {
    makeFolder(resolve(folder));
    const stat = statSync(folder);
    if (!stat.isDirectory()) throw new Error("is not a folder");
    if (!isOurs(stat.uid)) throw new Error(`belongs to user ${stat.uid}; allowed: a folder of our own`);
    if ((stat.mode & 0o022) !== 0) throw new Error("can be written by others; allowed: chmod go-w");
  } catch (error) {
    throw named(folder, error);
  }
}

/** With the folders above it. `mkdir` with `recursive` never ends where the system takes no folder, as in /proc. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  if (dirname(folder) !== folder) makeFolder(dirname(folder));
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

/** @throws Error with code ENOENT when there is none */
function readToken(path: string): string {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw new Error("is not a file");
    if (!isOurs(stat.uid)) throw new Error(`belongs to user ${stat.uid}; allowed: a file of our own`);
    if ((stat.mode & 0o077) !== 0) throw new Error("can be read by others; allowed: chmod 600");
    const token = stat.size > mostTokenBytes ? "" : readFileSync(file, "utf8").trim();
    if (tokenForm.test(token)) return token;
    throw new Error(
      "holds no token; allowed: 16 to 512 ASCII characters without blanks; remove it for a new one",
    );
  } finally {
    closeSync(file);
  }
}

/** Whole or not at all, and never over another one: two programs may start at once. */
function writeToken(path: string): void {
  const staged = `${path}.${randomUUID()}`;
  const file = openSync(
    staged,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  );
  try {
    const text = Buffer.from(`${newSecret()}\n`);
    if (writeSync(file, text) !== text.length) throw new Error("was not written whole; is the disk full?");
    fsyncSync(file);
    linkSync(staged, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    closeSync(file);
    rmSync(staged, { force: true });
  }
}

/** Where users have no numbers (Windows), files are those of whoever opens them. */
function isOurs(uid: number): boolean {
  return process.getuid === undefined || process.getuid() === uid;
}

const reasons: Readonly<Record<string, string>> = {
  ELOOP: "is a symbolic link; allowed: a file",
  EACCES: "permission denied",
  ENOENT: "no folder can be made here",
  EROFS: "the file system is read-only",
  ENOTDIR: "is not a folder",
  EEXIST: "is not a folder",
  ENOSPC: "the disk is full",
};

function named(path: string, error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  return new Error(`${path}: ${reasons[code ?? ""] ?? message}`, { cause: error });
}
