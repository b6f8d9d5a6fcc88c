import { expect, it } from "vitest";
import { checkRecordFile } from "./check-command.ts";
import { checkSource, type ReplayCommandOptions, replayOptions } from "./replay-options.ts";

const optionsWith = (more: object): ReplayCommandOptions =>
  replayOptions.parse({ trace: "t.csv", scenario: "s.json", spendAllowance: 60, ...more });

it("takes --spend-allowance for spillway alone", () => {
  for (const more of [{}, { policy: "spillway" }, { compare: "all" }, { compare: "fixed, spillway" }])
    expect(() => checkSource(optionsWith(more))).not.toThrow();
  for (const more of [{ policy: "fixed" }, { compare: "fixed,greedy" }, { hindsight: true }])
    expect(() => checkSource(optionsWith(more))).toThrow("--spend-allowance is for spillway");
});

it("does not take --spend-allowance where a record is only checked, because its header says what was spent", () => {
  const options = replayOptions.parse({ record: "run.ndjson", spendAllowance: 60 });
  expect(() => checkRecordFile({ ...options, record: "run.ndjson" })).toThrow(
    "--spend-allowance with --record needs a policy",
  );
});
