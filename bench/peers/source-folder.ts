/** Folders beside the source of this bench that the build leaves where they are: programs in Go and Python. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The path, from the source as from `dist/`. */
export function sourceFolder(name: "load" | "servers"): string {
  const beside = fileURLToPath(new URL(`${name}/`, import.meta.url));
  return existsSync(beside)
    ? beside
    : fileURLToPath(new URL(`../../../bench/peers/${name}/`, import.meta.url));
}
