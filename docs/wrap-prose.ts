/** Wraps the prose of all documents. Run `node dist/docs/wrap-prose.js` after a build. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { wrapProse } from "./prose.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const pages = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".md"))
  .map((path) => join("docs", path));

for (const page of ["README.md", "CONTRIBUTING.md", ...pages]) {
  const path = join(root, page);
  writeFileSync(path, wrapProse(readFileSync(path, "utf8")));
}
