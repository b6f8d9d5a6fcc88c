import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { FileWatch } from "./watch-file.ts";

/** A watch over a file with an edge a line, which is looked at by hand. */
function watched(text: string) {
  const path = join(mkdtempSync(join(tmpdir(), "spillway-file-")), "queue.yaml");
  writeFileSync(path, text);
  const followed: (readonly string[])[] = [];
  const lines: unknown[] = [];
  const state = { text, refuses: false };
  const write = (changed: string): void => {
    state.text = changed;
    // Another file, as editors and Kubernetes write it, so that no clock decides whether it has changed.
    writeFileSync(`${path}.new`, changed);
    renameSync(`${path}.new`, path);
  };
  const watch = new FileWatch(
    {
      path,
      read: () => {
        if (state.text.includes("broken")) throw new Error(`${path}: broken at line 1:\nmore`);
        return state.text.split("\n");
      },
      follow: (edges) => {
        if (state.refuses) throw new Error("edge: no target would be left");
        followed.push(edges);
      },
      log: {
        info: (_: object, line?: string) => void lines.push(line),
        error: ({ why }: { why?: string }) => void lines.push(why),
      } as never,
    },
    text.split("\n"),
  );
  return { path, state, write, watch, followed, lines };
}

it("tells the edges of a file that has changed, once it is not changed any more", () => {
  const { write, watch, followed } = watched("a");
  watch.look();
  write("a\nb");
  watch.look();
  expect(followed).toEqual([]);
  write("a\nb\nc");
  watch.look();
  expect(followed).toEqual([]);
  for (let nth = 0; nth < 3; nth++) watch.look();
  expect(followed).toEqual([["a", "b", "c"]]);
});

it("changes nothing for a file that is broken, gone or refused, says so once, and follows the next one", () => {
  const { path, state, write, watch, followed, lines } = watched("a");
  const twice = (): void => [1, 2, 3].forEach(() => watch.look());
  write("broken");
  twice();
  expect(lines).toEqual([`${path}: broken at line 1`]);
  state.refuses = true;
  write("b");
  twice();
  expect(lines).toEqual([`${path}: broken at line 1`, "edge: no target would be left"]);
  expect(followed).toEqual([]);
  state.refuses = false;
  rmSync(path);
  state.text = "broken";
  twice();
  write("c");
  twice();
  expect(followed).toEqual([["c"]]);
});

it("says that other options hold from the next start when the edges are the same", () => {
  const { write, watch, followed, lines } = watched("a");
  write("a");
  for (let nth = 0; nth < 3; nth++) watch.look();
  expect([followed, lines]).toEqual([
    [],
    ["the file lists the same edges; its other options hold from the next start"],
  ]);
});
