/** Files of a function's package by the path they have in it, and how files of a disk become such. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

export interface PackageFile {
  /** Relative, with slashes. */
  readonly path: string;
  readonly content: Uint8Array;
}

/**
 * The files of a folder and of the folders in it that are not hidden.
 *
 * @param as path that the folder has in the package
 * @param wanted tells by its path in the package whether a file is taken
 */
export function filesIn(folder: string, as: string, wanted: (path: string) => boolean): PackageFile[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => !name.split(/[\\/]/).some((part) => part.startsWith(".")))
    .map((name) => ({ from: join(folder, name), path: `${as}/${name.replaceAll("\\", "/")}` }))
    .filter(({ from, path }) => wanted(path) && statSync(from).isFile())
    .map(({ from, path }) => ({ path, content: readFileSync(from) }));
}

/** @throws Error that names the package and how it is installed when it is not there */
export function installedPackage(root: string, name: string): string {
  const folder = join(root, "node_modules", name);
  if (existsSync(folder)) return folder;
  throw new Error(
    `${folder}: not installed; functions run on linux x64: npm install --os=linux --cpu=x64 --libc=glibc`,
  );
}
