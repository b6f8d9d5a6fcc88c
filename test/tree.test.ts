/** What holds of the source as a whole, so that it stays easy to find one's way in. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const noSource = new Set(["dist", "node_modules", "test"]);
const most = { lines: 300, filesOfFolder: 22 };

const paths = readdirSync(root, { withFileTypes: true })
  .filter(({ name }) => !name.startsWith(".") && !noSource.has(name))
  .flatMap((entry) =>
    entry.isDirectory()
      ? readdirSync(join(root, entry.name), { recursive: true, encoding: "utf8" }).map((path) =>
          join(entry.name, path),
        )
      : [entry.name],
  )
  .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"));
const sources = paths.map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));

const declaration =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|const|let|interface|type|enum) (\w+)/gm;

it("no two files export the same name", () => {
  const pathsByName = new Map<string, Set<string>>();
  for (const { path, text } of sources) {
    for (const [, name = ""] of text.matchAll(declaration)) {
      pathsByName.set(name, (pathsByName.get(name) ?? new Set()).add(path));
    }
  }
  const shared = [...pathsByName].filter(([, paths]) => paths.size > 1);
  expect(shared.map(([name, paths]) => `${name}: ${[...paths].join(", ")}`)).toEqual([]);
});

it(`no source file has more than ${most.lines} lines`, () => {
  const long = sources.map(({ path, text }) => ({ path, lines: text.split("\n").length - 1 }));
  expect(long.filter(({ lines }) => lines > most.lines)).toEqual([]);
});

it(`no folder has more than ${most.filesOfFolder} source files side by side`, () => {
  const counts = new Map<string, number>();
  for (const path of paths) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
  expect([...counts].filter(([, count]) => count > most.filesOfFolder)).toEqual([]);
});
