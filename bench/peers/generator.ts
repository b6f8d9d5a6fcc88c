/** The load generator, a program in Go (`load/`) that is built once for each run. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import type { PeerRequest } from "./contenders.ts";
import { sourceFolder } from "./source-folder.ts";

/** What the generator says of a run; times in milliseconds. */
export interface LoadSummary {
  readonly sent: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly unanswered: number;
  /** Why a connection broke, where one did. */
  readonly failure?: string;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers with 200 within the time that was asked for. */
  readonly within: number;
}

export interface Load {
  readonly port: number;
  readonly request: PeerRequest;
  readonly connections: number;
  readonly seconds: number;
  /** Open loop; undefined: closed. */
  readonly perS?: number | undefined;
  readonly withinMs: number;
}

/** Builds it into a folder. Throws an Error where there is no Go. @returns the path of the program */
export async function buildGenerator(folder: string): Promise<string> {
  const program = join(folder, "load");
  await promisify(execFile)("go", ["build", "-o", program, "."], { cwd: sourceFolder("load") });
  return program;
}

/** Runs it once; an abort ends it. Throws an Error when it fails. */
export async function sendLoad(
  program: string,
  load: Load,
  folder: string,
  signal?: AbortSignal,
): Promise<LoadSummary> {
  const file = join(folder, "request");
  writeFileSync(file, httpRequest(load.request));
  const { port, connections, seconds, perS = 0, withinMs } = load;
  const options = { address: `127.0.0.1:${port}`, request: file, connections, seconds, rate: perS };
  const args = Object.entries({ ...options, "within-ms": withinMs }).map(
    ([key, value]) => `-${key}=${value}`,
  );
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], signal });
  const [said, why] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  if (child.exitCode !== 0) throw new Error(why.trim() || `the generator ended with ${child.exitCode}`);
  return JSON.parse(said) as LoadSummary;
}

/** The request as it goes over the wire. */
export function httpRequest({ path, headers, body }: PeerRequest): Buffer {
  const fields = { host: "127.0.0.1", ...headers, "content-length": String(body.byteLength) };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join("")}\r\n`), body]);
}
