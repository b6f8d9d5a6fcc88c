/**
 * Puts new versions of models into a repository folder, each in one step: they are staged beside it, loaded on trial
 * in a process of their own, and renamed into place only then.
 */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ProtocolError } from "../../protocol/errors.ts";
import { handlerIn } from "../vision/handlers/open-handler.ts";
import type { ModelConfig } from "../models/model-config.ts";
import type { ModelFile } from "../models/model-runner.ts";
import type { Candidate, ModelSet } from "../models/model-set.ts";
import { configIn, type Repository, versionsOf } from "../models/repository.ts";
import { type FetchLimits, fetchZip } from "./fetch-zip.ts";
import type { ModelChange } from "./model-change.ts";
import { versionFolderIn } from "./version-folder.ts";
import { unpackZip } from "./unpack-zip.ts";

export interface ModelInstallerOptions {
  readonly repository: Repository;
  readonly models: ModelSet;
  readonly limits: FetchLimits;
  /** Loads a model and lets go of it. Rejects when it cannot be loaded. */
  readonly tryLoad: (model: ModelFile) => Promise<void>;
}

/** Where versions are until they are in place; a name that no model can have. */
const stagingName = ".incoming";
/** In every version that was installed, so that old ones can be told from what people put there themselves. */
const markerName = ".installed.json";
/** Installed versions that are kept besides the newest. */
const keptVersions = 1;
const staleMs = 24 * 3_600_000;

export class ModelInstaller {
  readonly #options: ModelInstallerOptions;

  constructor(options: ModelInstallerOptions) {
    this.#options = options;
  }

  /** Load a model as the change says. Throws a ProtocolError; what served before goes on serving then. */
  async load(name: string, change: ModelChange): Promise<void> {
    const { models, repository } = this.#options;
    const { config, files, zip } = change;
    if (zip !== undefined || files.size > 0) {
      return models.load(name, () => this.#install(name, change));
    }
    if (config === undefined) return models.load(name);
    return models.load(name, async () => ({ model: { ...repository.read(name), config } }));
  }

  async #install(name: string, change: ModelChange): Promise<Candidate> {
    const { repository, tryLoad } = this.#options;
    const folder = folderOf(repository);
    if (!/^[\w-][\w.-]{0,127}$/.test(name)) {
      throw new ProtocolError(
        `"${name}" is no name for a model; allowed: letters, digits, "_", "-" and inner "."`,
      );
    }
    const staging = join(folder, stagingName, randomUUID());
    try {
      const { from, version } = await this.#stage(staging, change);
      const own = join(folder, name);
      const newest = Number(versionsOf(own).at(-1) ?? 0);
      const next = String(version > newest ? version : newest + 1);
      const config = configIn(from) ?? configIn(own);
      await tryLoad(stagedModel(name, next, from, config));
      await writeFile(join(from, markerName), JSON.stringify({ source: change.zip?.source ?? "files" }));
      await mkdir(own, { recursive: true });
      await rename(from, join(own, next));
      return {
        model: repository.read(name),
        taken: () => prune(own),
        refused: () => rm(join(own, next), { recursive: true }),
      };
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
  }

  /** Bring the files of a version into the staging folder. */
  async #stage(staging: string, change: ModelChange): Promise<{ from: string; version: number }> {
    const { limits } = this.#options;
    const files = join(staging, "files");
    await mkdir(files, { recursive: true });
    if (change.zip !== undefined) {
      const zipPath = join(staging, "model.zip");
      await fetchZip(change.zip.source, change.zip.digest, zipPath, limits);
      await unpackZip(zipPath, files, limits);
    }
    for (const [path, bytes] of change.files) {
      await mkdir(dirname(join(files, path)), { recursive: true });
      await writeFile(join(files, path), bytes);
    }
    const found = await versionFolderIn(files);
    if (change.config !== undefined) await writeConfig(found.from, change.config);
    return found;
  }
}

/** A version as it will be read once it is in place. */
function stagedModel(
  name: string,
  version: string,
  from: string,
  config: ModelConfig | undefined,
): ModelFile {
  const settings = config === undefined ? {} : { config };
  const [onnx, module] = [join(from, "model.onnx"), handlerIn(from)];
  if (!existsSync(onnx)) return { name, version, path: module as string, ...settings };
  const handler = config?.handler ?? module;
  return { name, version, path: onnx, ...(handler !== undefined && { handler }), ...settings };
}

function folderOf({ folder }: Repository): string {
  if (folder !== undefined) return folder;
  throw new ProtocolError("models can be put into a folder only; start the server with --models");
}

/** JSON is YAML. */
async function writeConfig(folder: string, config: ModelConfig): Promise<void> {
  await writeFile(join(folder, "config.yaml"), JSON.stringify(config));
}

/** Remove what servers that were killed have left staged; what is younger may be another server's work. */
export async function removeStaleStaging({ folder }: Repository): Promise<void> {
  if (folder === undefined) return;
  const staging = join(folder, stagingName);
  for (const name of await readdir(staging).catch(() => [])) {
    const { mtimeMs } = await stat(join(staging, name));
    if (Date.now() - mtimeMs > staleMs) await rm(join(staging, name), { recursive: true, force: true });
  }
}

/** Remove installed versions that are older than what is kept to go back to. */
async function prune(modelFolder: string): Promise<void> {
  const installed = versionsOf(modelFolder).filter((version) =>
    existsSync(join(modelFolder, version, markerName)),
  );
  for (const version of installed.slice(0, -1 - keptVersions)) {
    await rm(join(modelFolder, version), { recursive: true, force: true });
  }
}
