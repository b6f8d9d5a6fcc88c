/** Puts a model into a repository in one step: fetched, looked at, tried on a replica, and moved into place with settings. */
import { randomUUID } from "node:crypto";
import { existsSync, openSync, readSync, closeSync, readdirSync, statSync } from "node:fs";
import { copyFile, cp, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, dirname, extname, join, resolve } from "node:path";
import type { Logger } from "pino";
import { showValue } from "../../base/error-text.ts";
import { UsageError } from "../../base/usage-error.ts";
import { type FetchLimits, fetchZip, readDigest } from "../install/fetch-zip.ts";
import { stagingName, versionFolderIn } from "../install/version-folder.ts";
import { unpackZip } from "../install/unpack-zip.ts";
import { readModelConfig } from "../models/model-config.ts";
import type { ModelFile } from "../models/model-runner.ts";
import { configIn, isModelName, onnxModel, versionsOf } from "../models/repository.ts";
import { handlerIn } from "../vision/handlers/open-handler.ts";
import type { AddModelOptions } from "./add-options.ts";
import { configText, warmUpOf } from "./config-text.ts";
import { externalDataOf } from "./external-data.ts";
import { fittingHandlers, type TriedHandler } from "./fitting-handler.ts";
import { type LabelFile, labelFilesIn, readLabels } from "./labels-beside.ts";
import { type TriedModel, tryModel, whyNotLoaded } from "./try-model.ts";

export interface AddedModel {
  readonly name: string;
  readonly version: string;
  /** Path of the version's folder. */
  readonly folder: string;
  /** Path of the settings that were written; undefined where the model had some, which are kept. */
  readonly config: string | undefined;
  readonly tried: TriedModel;
  /** The one that fits, or those that were tried and do not. */
  readonly handlers: readonly TriedHandler[];
  /** The one that is switched on. */
  readonly on: TriedHandler | undefined;
}

const bytesPerMib = 2 ** 20;

/**
 * Adds the model that the options name. Nothing is left behind when it cannot be loaded.
 *
 * @param say is told what is done next
 * @throws UsageError that names the source, or says why the model cannot be loaded
 */
export async function addModel(
  options: AddModelOptions,
  log: Logger,
  say: (text: string) => void,
): Promise<AddedModel> {
  const { source } = options;
  const name = options.name ?? nameOf(source);
  if (!isModelName(name))
    throw new UsageError(`--name is ${showValue(name)}; allowed: letters, digits, _, - and inner .`);
  const models = resolve(options.models);
  const staging = join(models, stagingName, randomUUID());
  const files = join(staging, "files");
  await mkdir(files, { recursive: true });
  try {
    await bring(options, staging, files);
    const { from } = await versionFolderIn(files);
    const own = join(models, name);
    const version = String(Number(versionsOf(own).at(-1) ?? 0) + 1);
    const kept = configIn(from) ?? configIn(own);
    const model = onnxModel(name, version, join(from, "model.onnx"), handlerIn(from), kept);
    const threads = options.threads ?? availableParallelism();
    say(`trying ${name}`);
    const tried = await tryModel({ model, threads, log });
    const isNew = kept === undefined && model.handler === undefined;
    const { handlers, on } = isNew
      ? await chosenHandler(options, model, tried, from, threads, log)
      : { handlers: [], on: undefined };
    // Zeros, as warm-up has them, need not do where the example does.
    const warmUp = kept === undefined ? warmUpOf(tried) : [];
    const warmed = { ...model, config: readModelConfig({ warmUp, joinRows: false }, "its settings") };
    const hasWarmUp =
      warmUp.length > 0 && (await whyNotLoaded({ model: warmed, threads, log })) === undefined;
    const labels = handlers.find((each) => each.labels !== undefined)?.labels;
    await mkdir(own, { recursive: true });
    if (kept === undefined && labels !== undefined) await rename(join(from, labels), join(own, labels));
    await rename(from, join(own, version));
    const config = join(own, "config.yaml");
    if (kept === undefined)
      await writeFile(config, configText(basename(source), tried, handlers, on, hasWarmUp));
    const written = kept === undefined ? config : undefined;
    return { name, version, folder: join(own, version), config: written, tried, handlers, on };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${source}: ${withoutStaging((error as Error).message, files)}`);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** `resnet` of `https://example.com/resnet.onnx?x=1`, `resnet/` and `resnet/1/model.onnx`. */
function nameOf(source: string): string {
  const path = URL.canParse(source) && /^https?:/.test(source) ? new URL(source).pathname : resolve(source);
  const stem = basename(path).replace(/\.(onnx|zip)$/i, "");
  if (stem !== "model") return stem;
  const folder = basename(dirname(path));
  return /^[0-9]+$/.test(folder) ? basename(dirname(dirname(path))) : folder;
}

/** Puts a model's files into a folder: `model.onnx`, its weights beside it, labels, and settings that come with it. */
async function bring(options: AddModelOptions, staging: string, files: string): Promise<void> {
  const { source } = options;
  const limits: FetchLimits = {
    allowedHosts: options.modelHosts.split(",").map((host) => host.trim()),
    maxBytes: options.maxModelMib * bytesPerMib,
  };
  const isUrl = /^https?:\/\//i.test(source);
  const found = isUrl ? undefined : statSync(source, { throwIfNoEntry: false });
  if (!isUrl && found === undefined) throw new Error("no such file or folder");
  if (found?.isDirectory() === true) {
    if (options.sha256 !== undefined)
      throw new Error("it is a folder; --sha256 is allowed with a file or a URL");
    return bringFolder(source, files, limits.maxBytes);
  }
  const digest = options.sha256 === undefined ? undefined : readDigest("sha256", options.sha256);
  const fetched = join(staging, "fetched");
  await fetchZip(isUrl ? source : resolve(source), digest, fetched, limits);
  if (isZip(fetched)) return unpackZip(fetched, files, limits);
  await rename(fetched, join(files, "model.onnx"));
  if (isUrl) return;
  const weights = externalDataOf(join(files, "model.onnx"));
  const missing = weights.find((name) => !existsSync(join(dirname(source), name)));
  if (missing !== undefined) throw new Error(`its weights are in "${missing}", which is not beside it`);
  const stem = basename(source, extname(source));
  const labels = options.labels === undefined ? labelFilesIn(dirname(resolve(source)), stem) : [];
  for (const name of [...weights, ...labels.map(({ file }) => file)]) {
    await mkdir(dirname(join(files, name)), { recursive: true });
    await copyFile(join(dirname(source), name), join(files, name));
  }
}

/** Links are followed, because caches of models have them. An only ONNX file of another name is taken for the model. */
async function bringFolder(source: string, files: string, maxBytes: number): Promise<void> {
  let left = maxBytes;
  for (const entry of readdirSync(source, { recursive: true, encoding: "utf8" })) {
    left -= statSync(join(source, entry), { throwIfNoEntry: false })?.size ?? 0;
    if (left < 0) throw new Error(`it is too large; allowed: at most ${maxBytes} bytes`);
  }
  await cp(source, files, { recursive: true, dereference: true });
  const onnx = readdirSync(files).filter((name) => extname(name) === ".onnx");
  const [only, ...others] = onnx;
  if (only === undefined || onnx.includes("model.onnx")) return;
  if (others.length > 0)
    throw new Error(
      `it has ${onnx.length} ONNX files, and none is model.onnx; name one of them: ${onnx.join(", ")}`,
    );
  await rename(join(files, only), join(files, "model.onnx"));
}

/** The handlers that were tried with a picture on a replica, and the one of them that is to be used. */
async function chosenHandler(
  options: AddModelOptions,
  model: ModelFile,
  { metadata }: TriedModel,
  from: string,
  threads: number,
  log: Logger,
): Promise<Pick<AddedModel, "handlers" | "on">> {
  const { handler: wanted, source } = options;
  if (wanted === "none") return { handlers: [], on: undefined };
  const labelFiles =
    options.labels === undefined
      ? labelFilesIn(from, nameOf(source))
      : [await broughtLabels(options.labels, from)];
  const only = wanted === "auto" ? undefined : wanted;
  const areLabelsStated = options.labels !== undefined;
  const handlers = await fittingHandlers({
    model,
    metadata,
    labelFiles,
    areLabelsStated,
    only,
    threads,
    log,
  });
  const [best] = handlers;
  if (only !== undefined && best?.fault !== undefined)
    throw new Error(`--handler ${only} does not fit: ${best.fault}`);
  const isOn = best?.fault === undefined && (only !== undefined || best?.isSure === true);
  // A file may lie among the labels of other models.
  const isFile = statSync(source, { throwIfNoEntry: false })?.isFile() === true && !source.endsWith(".zip");
  for (const { file } of isFile ? labelFiles : [])
    if (file !== best?.labels) await rm(join(from, file), { force: true });
  return { handlers, on: isOn ? best : undefined };
}

async function broughtLabels(path: string, folder: string): Promise<LabelFile> {
  const file = basename(path);
  const found = readLabels(dirname(resolve(path)), file);
  if (found === undefined)
    throw new Error(`--labels is "${path}"; allowed: a file of names, a line for each class`);
  await copyFile(path, join(folder, file));
  return found;
}

function isZip(path: string): boolean {
  const file = openSync(path, "r");
  try {
    const head = Buffer.alloc(4);
    readSync(file, head, 0, 4, 0);
    return head.toString("latin1") === "PK\u0003\u0004";
  } finally {
    closeSync(file);
  }
}

/** Whoever adds a file does not know where it was tried. */
function withoutStaging(message: string, files: string): string {
  return message.replaceAll(`${files}/`, "");
}
