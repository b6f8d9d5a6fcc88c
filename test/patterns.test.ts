/** What holds of every regular expression of the programs: a text of somebody else's cannot make one take long. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSync, Visitor } from "oxc-parser";
import { describe, expect, it } from "vitest";
import { whySlow } from "./support/slow-pattern.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const rooms = ["algorithms", "base", "cli", "client", "edge", "protocol", "replay", "serverless", "tools"];

/** What may be slow, since nobody else says what it reads, or how much. */
const exceptions: readonly { readonly pattern: string; readonly why: string }[] = [
  { pattern: "/,(?![^[]*\\])/", why: "reads an option of our own command line" },
];

interface Found {
  readonly place: string;
  readonly pattern: string;
  readonly source: string;
  readonly flags: string;
}

function patternsIn(path: string): Found[] {
  const text = readFileSync(join(root, path), "utf8");
  const found: Found[] = [];
  const note = (start: number, source: string, flags: string): void => {
    const place = `${path}:${text.slice(0, start).split("\n").length}`;
    found.push({ place, pattern: `/${source}/${flags}`, source, flags });
  };
  new Visitor({
    Literal(node) {
      if ("regex" in node) note(node.start, node.regex.pattern, node.regex.flags);
    },
  }).visit(parseSync(path, text).program);
  return found;
}

const found = rooms
  .flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, encoding: "utf8" }).map((path) => join(room, path)),
  )
  .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts") && !path.endsWith(".d.ts"))
  .flatMap(patternsIn);

it("every pattern takes time in proportion to the text that it reads", () => {
  expect(found.length).toBeGreaterThan(300);
  const allowed = new Set(exceptions.map(({ pattern }) => pattern));
  const slow = found.flatMap(({ place, pattern, source, flags }) => {
    const why = allowed.has(pattern) ? undefined : whySlow({ source, flags });
    return why === undefined ? [] : [`${place}: ${pattern}: ${why}`];
  });
  expect(slow).toEqual([]);
});

it("every exception is a pattern of ours, and slow", () => {
  for (const { pattern } of exceptions) {
    const one = found.find((each) => each.pattern === pattern);
    expect(one && whySlow(one), pattern).toEqual(expect.any(String));
  }
});

describe("a pattern is called slow", () => {
  it.each([
    [/^([\w-]+):[\t ]*([\t\u0020-\u007e]*)$/, "two repetitions take the same"],
    [/^\s*[+-]?(?:\d+\.?\d*|\.\d+)\s*$/, "two repetitions take the same"],
    [/^(?:\w+ ?)*$/, "two repetitions take the same"],
    [/^(?:a|aa)+$/, "two alternatives of a repetition take the same"],
    [/[\t ]+$/, "a search begins with a repetition"],
    [/\s*;\s*/, "a search begins with a repetition"],
    [/:\/\/[^\s"]*@/g, "a search begins anew within what it has read"],
    [/\$\{([^}]*)\}/g, "a search begins anew within what it has read"],
    [/(fail\w*|unable) to allocate/, "a search begins anew within what it has read"],
    [/tls.*not available/i, "a search begins anew within what it has read"],
    [/"(?:[^"\\\n]|\\.)*"/, "a search begins anew within what it has read"],
    [/^(["']).*\1$/, "nobody can say, since it refers back"],
    [/^#[^]*end$/m, "a search begins anew within what it has read"],
  ])("%s", (pattern, why) => {
    expect(whySlow(pattern)).toBe(why);
  });
});

describe("a pattern is not called slow", () => {
  it.each([
    [/^\s*\d+(?:\.\d*)?\s*$/],
    [/(?<!\/)\/+$/],
    [/<[^<>]*>/g],
    [/^#.*end$/m],
    [/"(?:[^"\\\n]|\\.)*"?/],
    [/[?#].*/],
    [/""".*?(?:"""|$)/s],
    [/<[^>]*>/y],
    [/^(?:[^x]|x[^y])*$/],
    [/VmRSS:\s+([0-9]+) kB/],
  ])("%s", (pattern) => {
    expect(whySlow(pattern)).toBeUndefined();
  });
});
