/** Virtual environments of the peers, one each, kept between runs in the user's cache folder. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Contender } from "./contenders.ts";

const run = promisify(execFile);

export const cacheFolder = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "spillway-peers");

export interface Installed {
  /** The folder of its programs. */
  readonly bin: string;
  /** What the packages of the page are in it, such as `mosec 0.9.8`. */
  readonly versions: readonly string[];
}

const shown = /^(bentoml|fastapi|litserve|mlserver|mosec|numpy|onnxruntime|ray|starlette|uvicorn)==(.+)$/;

/** Installs what is not there yet. Throws an Error that says why it cannot. */
export async function install({ name, packages }: Contender, signal: AbortSignal): Promise<Installed> {
  const folder = join(cacheFolder, name.replaceAll(/\W+/g, "-").toLowerCase());
  const bin = join(folder, "bin");
  const stamp = join(folder, "spillway-packages.txt");
  const wanted = packages.join("\n");
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(cacheFolder, { recursive: true });
    await run("python3", ["-m", "venv", folder], { signal });
    const options = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    await run(join(bin, "python"), [...options, ...packages], { signal });
    writeFileSync(stamp, wanted);
  }
  const { stdout } = await run(join(bin, "python"), ["-m", "pip", "freeze"], { signal });
  const versions = stdout.split("\n").flatMap((line) => {
    const [, of, version] = shown.exec(line) ?? [];
    return of === undefined ? [] : [`${of} ${version}`];
  });
  return { bin, versions };
}

/** The last line that a program wrote before it failed; else what the error says. */
export function whyFailed(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  return stderr?.trim().split("\n").at(-1) || message;
}
