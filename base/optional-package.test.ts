import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import {
  checkInstalled,
  loadPackage,
  optionalPackages,
  type OptionalPackageName,
} from "./optional-package.ts";

const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>;
};

it("the packages are the optional peer dependencies, in the same versions", () => {
  const ranges = Object.entries(optionalPackages).map(([name, { range }]) => [name, range]);
  expect(Object.fromEntries(ranges)).toEqual(manifest.peerDependencies);
  for (const name of Object.keys(optionalPackages)) {
    expect(manifest.peerDependenciesMeta[name]).toEqual({ optional: true });
  }
});

it("what is installed is loaded", { tags: ["slow"] }, () => {
  expect(loadPackage("echarts", "a report").version).toMatch(/^6\./);
});

it("what is missing is named in one line, with the command that installs it", () => {
  const missing = "not-there" as OptionalPackageName;
  Object.assign(optionalPackages, { [missing]: { range: "^1.0.0" } });
  expect(() => checkInstalled("a test", ["sharp", missing])).toThrow(
    "a test needs packages that are not installed: npm install not-there@^1.0.0",
  );
});
