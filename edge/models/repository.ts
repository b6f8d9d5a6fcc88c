/**
 * Where models come from: a folder of `NAME/VERSION/model.onnx` with `NAME/config.yaml`, or of bare `NAME.onnx`; or the
 * embedded ones.
 */
import { showValue } from "../../base/error-text.ts";
import { type Dirent, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parse as parseYaml } from "yaml";
import { ProtocolError } from "../../protocol/errors.ts";
import { handlerIn } from "../vision/handlers/open-handler.ts";
import { embeddedOcr, embeddedPath } from "./embedded-ocr.ts";
import { parseLabels } from "./labels.ts";
import { type ModelConfig, readModelConfig } from "./model-config.ts";
import type { ModelFile } from "./model-runner.ts";

/** Its content may change between two calls. */
export interface Repository {
  /** The folder, when new models can be put into it. */
  readonly folder?: string;
  /** Sorted names of all models, also of those that cannot be loaded. */
  names(): string[];
  /** A model in its highest version. Throws an Error that names the file at fault, or a 404 when there is no such model. */
  read(name: string): ModelFile;
  /** The model in the version before this one; undefined when there is none. */
  before?(model: ModelFile): ModelFile | undefined;
}

/** A line of text of about ten characters, as both embedded models take it. */
const lineShape = { x: [1, 3, 48, 192] };

/** The embedded models that take tensors, FP32 [rows, 3, 48, width]: `ocr-cls` is fast, `ocr-rec` takes its time. */
export function embeddedModels(): ModelFile[] {
  // They are known to keep rows apart, so nothing needs to be proved.
  const config = readModelConfig({ joinRows: true }, "embedded models");
  return [
    { name: "ocr-cls", version: "2", path: embeddedPath("classifier"), exampleShapes: lineShape, config },
    { name: "ocr-rec", version: "4", path: embeddedPath("recognition"), exampleShapes: lineShape, config },
  ];
}

/** The embedded default of a server: those, and the OCR pipeline, which takes pictures. */
export function embeddedRepository(): Repository {
  const models = [...embeddedModels(), ...embeddedOcr()];
  return {
    names: () => models.map(({ name }) => name),
    read: (name) => {
      const model = models.find((each) => each.name === name);
      if (model !== undefined) return model;
      throw new ProtocolError(
        `no embedded model ${showValue(name)}; --models names a folder of your own`,
        404,
      );
    },
  };
}

export function folderRepository(folder: string): Repository {
  return {
    folder,
    names: () => [...new Set([...foldersIn(folder), ...bareModelsIn(folder)])].sort(),
    read: (name) => {
      if (foldersIn(folder).includes(name)) return readModel(folder, name);
      if (bareModelsIn(folder).includes(name))
        return onnxModel(name, "1", join(folder, `${name}.onnx`), undefined, undefined);
      throw new ProtocolError(`${folder}: no model ${showValue(name)} in it`, 404);
    },
    before: ({ name, version }) => {
      if (!foldersIn(folder).includes(name)) return undefined;
      try {
        const found = readModel(folder, name, Number(version));
        return Number(found.version) < Number(version) ? found : undefined;
      } catch {
        return undefined;
      }
    },
  };
}

/** What a folder holds. */
export interface FoundModels {
  /** Those that are not disabled, each in its highest version. */
  readonly models: readonly ModelFile[];
  /** By the name of each model that cannot be read, why: it has no version, or its settings are wrong. */
  readonly faults: ReadonlyMap<string, string>;
}

/**
 * The models of a folder that are not disabled, each in its highest version. Throws an Error that names the folder or
 * file when there is no model, one has no version, or a `config.yaml` is wrong.
 */
export function findModels(folder: string): ModelFile[] {
  const { models, faults } = surveyModels(folder);
  if (folderRepository(folder).names().length === 0) throw holdsNone(folder);
  for (const fault of faults.values()) throw new Error(fault);
  return [...models];
}

/**
 * Likewise, with the faults of single models beside the others. An empty folder has none: they come later. Throws when the
 * folder as a whole is at fault, such as one with files among which there is no model.
 */
export function surveyModels(folder: string): FoundModels {
  const repository = folderRepository(folder);
  const names = repository.names();
  if (names.length === 0 && !isEmpty(folder)) throw holdsNone(folder);
  const models: ModelFile[] = [];
  const faults = new Map<string, string>();
  for (const name of names) {
    try {
      const model = repository.read(name);
      if (model.config?.disabled !== true) models.push(model);
    } catch (error) {
      faults.set(name, (error as Error).message);
    }
  }
  const defaults = models.filter(({ config }) => config?.default === true).map(({ name }) => name);
  if (defaults.length <= 1) return { models, faults };
  throw new Error(`${folder}: ${defaults.join(" and ")} say "default: true"; allowed: one model`);
}

/** Whether a folder has nothing but hidden files, such as those of an installer. */
function isEmpty(folder: string): boolean {
  return readdirSync(folder).every((name) => name.startsWith("."));
}

function holdsNone(folder: string): Error {
  return new Error(`${folder}: holds no model; ${expected}`);
}

/** Of what was found, the models with the given names (commas between; undefined for all), and their pipelines' stages. */
export function modelsAtStart({ models, faults }: FoundModels, names: string | undefined): FoundModels {
  if (names === undefined) return { models, faults };
  const byName = new Map(models.map((model) => [model.name, model]));
  const wanted = new Set(names.split(",").map((name) => name.trim()));
  // The loop also visits what is added to the set meanwhile: the stages of pipelines within pipelines.
  for (const name of wanted) {
    const model = byName.get(name);
    if (model === undefined && !faults.has(name))
      throw new Error(`--load names "${name}"; allowed: ${[...byName.keys(), ...faults.keys()].join(", ")}`);
    for (const stage of model?.config?.pipeline?.stages ?? []) if ("model" in stage) wanted.add(stage.model);
  }
  return {
    models: models.filter(({ name }) => wanted.has(name)),
    faults: new Map([...faults].filter(([name]) => wanted.has(name))),
  };
}

/** Whether a model may be called so: what is a name on every disk and in every URL. */
export function isModelName(name: string): boolean {
  return /^[\w-][\w.-]{0,127}$/.test(name);
}

/** Versions of a model that have an ONNX file or a handler, the lowest first; none when there is no such folder. */
export function versionsOf(modelFolder: string): string[] {
  if (!existsSync(modelFolder)) return [];
  return foldersIn(modelFolder)
    .filter((version) => /^[0-9]+$/.test(version) && holdsModel(join(modelFolder, version)))
    .sort((a, b) => Number(a) - Number(b));
}

/** Whether a version's folder has an ONNX file or a handler. */
export function holdsModel(versionFolder: string): boolean {
  return existsSync(join(versionFolder, "model.onnx")) || handlerIn(versionFolder) !== undefined;
}

/** @param below only versions lower than this */
function readModel(folder: string, name: string, below = Infinity): ModelFile {
  const own = join(folder, name);
  const latestIn = (place: string): string | undefined =>
    versionsOf(place).findLast((version) => Number(version) < below);
  const ownVersion = latestIn(own);
  // An installed version brings its own settings, so that both take effect in one step.
  const places = [...(ownVersion === undefined ? [] : [join(own, ownVersion)]), own];
  const config = places.map(configIn).find((found) => found !== undefined);
  const base = config?.base;
  if (base !== undefined && bareModelsIn(folder).includes(base) && !foldersIn(folder).includes(base))
    return onnxModel(name, "1", join(folder, `${base}.onnx`), handlerIn(own), config);
  if (base !== undefined && (base === name || !foldersIn(folder).includes(base)))
    throw new Error(`${join(own, "config.yaml")}: base is "${base}"; allowed: another model of ${folder}`);
  if (config?.pipeline !== undefined) return { name, version: "1", path: join(own, "config.yaml"), config };
  const filesFrom = base === undefined ? own : join(folder, base);
  const version = latestIn(filesFrom);
  const module = [...places, filesFrom].map(handlerIn).find((found) => found !== undefined);
  if (version !== undefined && existsSync(join(filesFrom, version, "model.onnx")))
    return onnxModel(name, version, join(filesFrom, version, "model.onnx"), module, config);
  const path = (version && handlerIn(join(filesFrom, version))) ?? module;
  if (path !== undefined) return { name, version: version ?? "1", path, config };
  throw new Error(`${filesFrom}: no VERSION/model.onnx in it, where VERSION is a number, and no handler.js`);
}

/** @param module path of the handler module, if there is one; a handler that `config` names comes first */
export function onnxModel(
  name: string,
  version: string,
  path: string,
  module: string | undefined,
  config: ModelConfig | undefined,
): ModelFile {
  return { name, version, path, handler: config?.handler ?? module, config };
}

/** What the `config.yaml` of a folder says; undefined when it has none. */
export function configIn(folder: string): ModelConfig | undefined {
  const path = join(folder, "config.yaml");
  if (!existsSync(path)) return undefined;
  let document: unknown;
  try {
    document = parseYaml(readFileSync(path, "utf8"));
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error });
  }
  const config = readModelConfig(document, path);
  return typeof config.labels === "string" ? { ...config, labels: labelsIn(folder, config.labels) } : config;
}

function labelsIn(folder: string, file: string): string[] {
  const place = join(folder, "config.yaml");
  let text: string;
  try {
    text = readFileSync(join(folder, file), "utf8");
  } catch (error) {
    throw new Error(`${place}: labels is "${file}", which cannot be read`, { cause: error });
  }
  try {
    return parseLabels(text, file);
  } catch (error) {
    throw new Error(`${place}: labels: ${(error as Error).message}`, { cause: error });
  }
}

function foldersIn(folder: string): string[] {
  return entriesOf(folder)
    .filter((entry) => isOfKind(entry, "isDirectory", folder) && !entry.name.startsWith("."))
    .map((entry) => entry.name)
    .sort();
}

/** The models that are a file alone: `NAME.onnx`, served as version 1 with the defaults. A folder of that name comes first. */
function bareModelsIn(folder: string): string[] {
  return entriesOf(folder)
    .filter(({ name }) => name.endsWith(".onnx") && isModelName(name.slice(0, -onnxEnding.length)))
    .filter((entry) => isOfKind(entry, "isFile", folder))
    .map(({ name }) => name.slice(0, -onnxEnding.length));
}

/** Links count as what they lead to. */
function isOfKind(entry: Dirent, is: "isDirectory" | "isFile", folder: string): boolean {
  if (!entry.isSymbolicLink()) return entry[is]();
  return statSync(join(folder, entry.name), { throwIfNoEntry: false })?.[is]() === true;
}

const onnxEnding = ".onnx";
const expected = "expected NAME/VERSION/model.onnx or NAME.onnx in it";
const reasons: Readonly<Record<string, string>> = {
  ENOENT: `no such folder; ${expected}`,
  ENOTDIR: `not a folder; ${expected}`,
  EACCES: "no permission",
};

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(`${folder}: ${reasons[code ?? ""] ?? message}`, { cause: error });
  }
}
