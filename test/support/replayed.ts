/** Replays of made-up traces in the tiny world, with their logs in memory. */
import { type ReplayOptions, replayTrace } from "../../replay/run.ts";
import type { TextFile } from "../../base/text-lines.ts";
import { tinySheet, tinyWorld } from "./tiny-world.ts";

export function traceOf(momentsS: readonly number[]): TextFile {
  return {
    name: "made.csv",
    async *open() {
      yield new TextEncoder().encode(`t\n${momentsS.map((atS) => `${atS}\n`).join("")}`);
    },
  };
}

/** A line of the decision log. */
export type Line = Record<string, unknown> & { kind: string; atMs?: number; formedAtMs?: number };

/** Replay in the tiny world; returns the log as text and in lines, too. */
export async function replay(options: Partial<ReplayOptions> & Pick<ReplayOptions, "trace" | "policy">) {
  let text = "";
  const log = {
    write: (line: string) => {
      text += line;
    },
    flush: async () => {},
  };
  const defaults = { scenario: tinyWorld(), sheet: tinySheet, seed: 1, fromS: 0, toS: Infinity, scale: 1 };
  const summary = await replayTrace({ ...defaults, log, ...options });
  const lines = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
  return { summary, text, lines };
}
