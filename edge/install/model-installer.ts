/** Installs new versions of models in one step: staged, loaded on trial, then renamed into the repository. */
import { showValue } from "../../base/error-text.ts";
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ProtocolError } from "../../protocol/errors.ts";
import type { ModelConfig } from "../models/model-config.ts";
import type { ModelFile } from "../models/model-runner.ts";
import type { ModelSet } from "../models/model-set.ts";
import type { Candidate } from "../models/model-set-options.ts";
import { configIn, isModelName, onnxModel, type Repository, versionsOf } from "../models/repository.ts";
import { handlerIn } from "../vision/handlers/open-handler.ts";
import { type Digest, type FetchLimits, fetchZip } from "./fetch-zip.ts";
import type { ModelChange } from "./model-change.ts";
import { unpackZip } from "./unpack-zip.ts";
import { stagingName, versionFolderIn } from "./version-folder.ts";

export interface ModelInstallerOptions {
  readonly repository: Repository;
  readonly models: ModelSet;
  readonly limits: FetchLimits;
  /** Loads a model and drops it again. Rejects when it cannot be loaded. */
  readonly tryLoad: (model: ModelFile) => Promise<void>;
}

/** A file in every installed version, which tells it from versions that people put there themselves. */
const markerName = ".installed.json";
/** Installed versions that are kept besides the newest. */
const keptVersions = 1;
const staleMs = 24 * 3_600_000;

export class ModelInstaller {
  readonly #options: ModelInstallerOptions;

  constructor(options: ModelInstallerOptions) {
    this.#options = options;
  }

  /** Load a model as the change says. Throws a ProtocolError; the version that served before then goes on. */
  async load(name: string, change: ModelChange): Promise<void> {
    const { models, repository } = this.#options;
    const { config, files, zip } = change;
    // Whoever asks again for what is there, as after a restart, gets no further version of it.
    if (
      zip?.digest !== undefined &&
      config === undefined &&
      newestDigest(repository, name) === digestText(zip.digest)
    )
      return models.load(name);
    if (zip !== undefined || files.size > 0) return models.load(name, () => this.#install(name, change));
    if (config === undefined) return models.load(name);
    return models.load(name, async () => ({ model: { ...repository.read(name), config } }));
  }

  async #install(name: string, change: ModelChange): Promise<Candidate> {
    const { repository, tryLoad } = this.#options;
    const { folder } = repository;
    if (folder === undefined)
      throw new ProtocolError("models can only be put into a folder; start the server with --models");
    if (!isModelName(name)) {
      throw new ProtocolError(
        `${showValue(name)} is not a model name; allowed: letters, digits, _, - and inner .`,
      );
    }
    const staging = join(folder, stagingName, randomUUID());
    try {
      const { from, version } = await this.#stage(staging, change);
      const own = join(folder, name);
      const newest = Number(versionsOf(own).at(-1) ?? 0);
      const next = String(version > newest ? version : newest + 1);
      await tryLoad(stagedModel(name, next, from, configIn(from) ?? configIn(own)));
      const { source = "files", digest } = change.zip ?? {};
      const marker = { source, ...(digest !== undefined && { digest: digestText(digest) }) };
      await writeFile(join(from, markerName), JSON.stringify(marker));
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
  async #stage(staging: string, change: ModelChange): ReturnType<typeof versionFolderIn> {
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
    // JSON is YAML.
    if (change.config !== undefined)
      await writeFile(join(found.from, "config.yaml"), JSON.stringify(change.config));
    return found;
  }
}

function digestText({ algorithm, bytes }: Digest): string {
  return `${algorithm}:${bytes.toString("hex")}`;
}

/** The digest of the zip that the newest version came from; undefined where it came otherwise. */
function newestDigest({ folder }: Repository, name: string): string | undefined {
  if (folder === undefined || !isModelName(name)) return undefined;
  const newest = versionsOf(join(folder, name)).at(-1);
  if (newest === undefined) return undefined;
  try {
    const marker = readFileSync(join(folder, name, newest, markerName), "utf8");
    const { digest } = JSON.parse(marker) as { readonly digest?: unknown };
    return typeof digest === "string" ? digest : undefined;
  } catch {
    return undefined;
  }
}

/** A version as it will be read once it is in place. */
function stagedModel(
  name: string,
  version: string,
  from: string,
  config: ModelConfig | undefined,
): ModelFile {
  const [onnx, module] = [join(from, "model.onnx"), handlerIn(from)];
  if (existsSync(onnx)) return onnxModel(name, version, onnx, module, config);
  return { name, version, path: module as string, config };
}

/** Remove what killed servers have left staged. What is younger than a day may be another server's work. */
export async function removeStaleStaging({ folder }: Repository): Promise<void> {
  if (folder === undefined) return;
  const staging = join(folder, stagingName);
  for (const name of await readdir(staging).catch(() => [])) {
    const { mtimeMs } = await stat(join(staging, name));
    if (Date.now() - mtimeMs > staleMs) await rm(join(staging, name), { recursive: true, force: true });
  }
}

/** Remove installed versions, except for the newest and those that are kept to go back to. */
async function prune(modelFolder: string): Promise<void> {
  const installed = versionsOf(modelFolder).filter((version) =>
    existsSync(join(modelFolder, version, markerName)),
  );
  for (const version of installed.slice(0, -1 - keptVersions)) {
    await rm(join(modelFolder, version), { recursive: true, force: true });
  }
}
