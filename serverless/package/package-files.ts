/** What the package of a function holds, and how it becomes a folder. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { bundle } from "./bundle.ts";
import { nativePackages } from "./native-packages.ts";
import type { PackageFile } from "./package-file.ts";
import { packedModels } from "./packed-models.ts";

/**
 * @param root folder of the checkout, with `dist` and `node_modules`
 * @param models model repository; undefined takes the embedded models
 * @throws Error that names what is missing or cannot be packed
 */
export async function packageFiles(root: string, models: string | undefined): Promise<PackageFile[]> {
  const { files, takesPictures } = packedModels(root, models);
  return [
    { path: "package.json", content: Buffer.from('{ "type": "module" }\n') },
    ...(await bundle(root, "dist/serverless/function/function-main.js")),
    ...nativePackages(root, takesPictures),
    ...files,
  ];
}

/** Whatever was in the folder is gone. */
export function writeFolder(folder: string, files: readonly PackageFile[]): void {
  rmSync(folder, { recursive: true, force: true });
  for (const { path, content } of files) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
}
