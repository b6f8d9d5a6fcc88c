/** Runs the examples in the comments of this folder: each says "Example: `code` is `value`". */
import { readdirSync, readFileSync } from "node:fs";
import { runInThisContext } from "node:vm";
import { expect, it } from "vitest";

const folder = new URL("./", import.meta.url);
const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
  (name) => name.endsWith(".ts") && !name.endsWith(".test.ts"),
);

function examplesIn(
  name: string,
): { readonly name: string; readonly code: string; readonly value: string }[] {
  const text = readFileSync(new URL(name, folder), "utf8").replaceAll(/\n \* ?/g, " ");
  return [...text.matchAll(/Example: `([^`]+)` is\s+`([^`]+)`/g)].map(([, code = "", value = ""]) => {
    return { name, code, value };
  });
}

const modules = await Promise.all(files.map((name) => import(new URL(name, folder).href)));
const names: Record<string, unknown> = Object.assign({}, ...modules);

it.each(files.flatMap(examplesIn))("$name: $code", ({ code, value }) => {
  const statements = code.split("; ");
  const body = [...statements.slice(0, -1), `return [${statements.at(-1)}, ${value}]`].join(";\n");
  const run = runInThisContext(`(${Object.keys(names).join()}) => {${body}}`) as (
    ...all: unknown[]
  ) => unknown[];
  const [found, expected] = run(...Object.values(names));
  const plain = ArrayBuffer.isView(found) ? Array.from(found as Float64Array) : found;
  if (typeof plain === "number") expect(plain).toBeCloseTo(expected as number, 12);
  else expect(plain).toEqual(expected);
});

it("has an example for every file that computes something", () => {
  const without = files.filter((name) => examplesIn(name).length === 0);
  expect(without).toEqual([]);
});
