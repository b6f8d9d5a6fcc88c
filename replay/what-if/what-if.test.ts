// @module-tag slow
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { runInProcess } from "../../test/support/command-line.ts";
import { fixed, recordOf, spillway } from "../../test/support/recorded-queue.ts";
import type { ReplaySummary } from "../summary.ts";
import { calibrationError, whatIfSentence, type WhatIfRow } from "./what-if-text.ts";

const folder = mkdtempSync(join(tmpdir(), "what-if-"));
afterAll(() => rmSync(folder, { recursive: true }));

const moments = Array.from({ length: 60 }, (_, nth) => 7 * nth);
const record = fileOf("day.jsonl", recordOf(spillway, moments));

function fileOf(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function whatIf(...args: string[]) {
  return runInProcess("what-if", ...args);
}

interface Result {
  readonly sentence: string;
  readonly actual: { readonly requests: number; readonly inSloShare: number };
  readonly calibration: { readonly sharePoints: number };
  readonly cases: readonly (ReplaySummary & { readonly name: string })[];
  readonly notes: readonly string[];
}

async function resultOf(...args: string[]): Promise<Result> {
  return JSON.parse((await whatIf(...args, "--json")).stdout) as Result;
}

describe("what-if", () => {
  it("says first what was, then compares, and says how far the model is off", async () => {
    const { status, stdout, stderr } = await whatIf(record);
    expect([status, stderr]).toEqual([0, ""]);
    const [sentence, ...lines] = stdout.split("\n");
    expect(sentence).toMatch(
      /^The present plan met the SLO for [\d.]+ % and cost [\d.e-]+ USD; without functions [\d.]+ %; functions alone .*; one edge more would have /,
    );
    expect(lines.filter((line) => line !== "").map((line) => line.split("  ")[0])).toMatchObject([
      "what",
      "as recorded",
      "as it was, modelled",
      "without functions",
      "functions alone",
      "one edge more",
      "fixed plan",
      expect.stringMatching(/^Calibration error: in the modelled world the same policy meets the SLO for/),
      expect.stringMatching(/^The record replays to the very decisions of the run \(\d+\)\./),
    ]);
  });

  it("takes another SLO, policy, number of edges, functions and prices together", async () => {
    const { cases, sentence, notes } = await resultOf(
      record,
      ..."--slo 0.02 --policy edge-only --edges 2 --functions f=2x1024".split(" "),
      "--prices",
      "alibaba-fc-cn-2026",
    );
    const asked = cases.at(-1);
    const asks = "policy edge-only, SLO 0.02 s, 2 edges, functions f, prices alibaba-fc-cn-2026";
    expect([asked?.name, notes.includes(`As asked: ${asks}.`)]).toEqual(["as asked", true]);
    expect(asked).toMatchObject({ cost: 0, currency: "CNY" });
    expect(Object.keys(asked?.targets ?? {})).toEqual(["edge", "edge-2", "f"]);
    expect(sentence).toContain(`; with ${asks} `);
    expect(notes.join("\n")).toContain("Nobody measured f: ");
  });

  it("has functions alone where no edge is left, and edges alone where functions are not seen", async () => {
    const { cases } = await resultOf(record, "--edges", "0");
    const [asked, alone] = [cases.at(-1), cases.find(({ name }) => name === "functions alone")];
    expect(asked?.targets["edge"]?.batches).toBe(0);
    expect(asked?.inSloShare).toBe(alone?.inSloShare);
    const without = cases.find(({ name }) => name === "without functions");
    expect(without).toMatchObject({ cost: 0 });
  });

  it("looks at a part of the record", async () => {
    const { actual, cases } = await resultOf(record, "--from", "0.1", "--to", "0.2");
    expect(actual.requests).toBe(14);
    expect(cases[0]?.requests).toBe(14);
  });

  it("takes a record of one request, and one that was cut before any had ended", async () => {
    const one = fileOf("one.jsonl", recordOf(spillway, [0]));
    expect((await resultOf(one)).actual).toMatchObject({ requests: 1, inSloShare: 1 });
    const text = recordOf(spillway, [0]);
    const open = fileOf("open.jsonl", text.slice(0, text.indexOf('{"kind":"batch"')));
    expect((await resultOf(open)).sentence).toContain("No request of the record has ended; modelled, ");
  });

  it("writes a page that begins with the sentence", async () => {
    const page = join(folder, "page.html");
    const { stdout } = await whatIf(record, "--slo", "0.05", "--report", page);
    const html = readFileSync(page, "utf8");
    expect(html).toContain(`<p class="lead">${stdout.split("\n")[0]}</p>`);
    expect(html).toContain("Calibration error");
    expect(html).not.toMatch(/NaN|undefined|Infinity/);
  });

  const empty = join(folder, "empty");
  mkdirSync(empty);
  it.each([
    ["no record", [], /^spillway: RECORD is missing: /],
    ["an empty folder", [empty], /: holds no record; allowed: /],
    ["a foreign file", [fileOf("foreign.txt", "hello\n")], /foreign\.txt:1: .* is not valid JSON\n$/],
    [
      "a foreign event",
      [
        fileOf(
          "event.jsonl",
          `${record && recordOf(spillway, [0]).split("\n")[0]}\n{"kind":"arrival","id":0,"atMs":1}\n`,
        ),
      ],
      /event\.jsonl:2: the arrival lacks a field\n$/,
    ],
    [
      "half a header",
      [fileOf("half.jsonl", '{"kind":"header","format":"spillway-record/2"}\n')],
      /half\.jsonl:1: the header lacks policy, targets or sloMs\n$/,
    ],
    [
      "an older format",
      [fileOf("old.jsonl", recordOf(spillway, [0]).replace("record/2", "record/1"))],
      /format is spillway-record\/1; allowed: /,
    ],
    [
      "the fixed plan",
      [fileOf("fixed.jsonl", recordOf(fixed, [0]))],
      /a record of the policy fixed has no profile/,
    ],
    [
      "from after to",
      [record, "--from", "2", "--to", "1"],
      /--to is 1; allowed: above --from, which is 2\n$/,
    ],
    ["a part without a request", [record, "--from", "9"], /no request arrived from 9 s\n$/],
    ["a model that is not there", [record, "--model", "x"], /--model is x; allowed in .*: m\n$/],
    ["a price sheet that is not there", [record, "--prices", "x"], /no price sheet "x"; allowed: /],
  ])("refuses %s in one line", async (_, args, message) => {
    const { status, stdout, stderr } = await whatIf(...args);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });
});

describe("the sentence", () => {
  const summary = { cost: 1.2, currency: "CNY", inSloShare: 0.9993 } as ReplaySummary;
  const row = (name: string, change: Partial<ReplaySummary> = {}): WhatIfRow => {
    return { name, summary: { ...summary, ...change }, hasMet: true };
  };
  const actual = {
    requests: 10,
    inSloShare: 0.9993,
    cost: 1.2,
    currency: "CNY",
    latencyMs: { p50: 1, p95: 1, p99: 1 },
  };
  const present = row("as it was, modelled");

  it("says what a second edge would have saved, and that it would have saved nothing", () => {
    const without = row("without functions", { inSloShare: 0.91 });
    expect(whatIfSentence(actual, [present, without, row("one edge more", { cost: 0.3 })])).toBe(
      "The present plan met the SLO for 99.93 % and cost 1.2 CNY; without functions 91.00 %; one edge more would have saved" +
        " 0.9 CNY.",
    );
    expect(whatIfSentence(actual, [present, row("one edge more")])).toMatch(
      /one edge more would have saved nothing\.$/,
    );
  });

  it("signs the calibration error: above 0 where the model is too kind or too dear", () => {
    expect(
      calibrationError(actual, row("as it was, modelled", { cost: 1.5, inSloShare: 0.9893 })),
    ).toMatchObject({
      sharePoints: expect.closeTo(-1),
      costPart: expect.closeTo(0.25),
    });
  });
});
