import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { smallReplay } from "../../test/support/small-replay.ts";

interface Row {
  readonly policy: string;
  readonly cost: number;
  readonly inSlo: number;
}

it(
  "shows what hindsight reaches beside policies, at no higher cost for as many in time",
  { tags: ["slow"] },
  async () => {
    const { stdout } = await smallReplay().run("--compare", "edge-only,spillway", "--hindsight", "--json");
    const rows = JSON.parse(stdout) as Row[];
    expect(rows.map(({ policy }) => policy)).toEqual(["edge-only", "spillway", "hindsight"]);
    const [, own, hindsight] = rows as [Row, Row, Row];
    expect(hindsight.inSlo).toBeGreaterThanOrEqual(own.inSlo);
    expect(hindsight.cost).toBeLessThanOrEqual(own.cost);
  },
);

it("logs the schedule like a replay", { tags: ["slow"] }, async () => {
  const { run, folder } = smallReplay();
  const log = join(folder, "log.ndjson");
  const { stdout } = await run("--hindsight", "--share", "0.95", "--log", log, "--json");
  const { cost, inSloShare } = JSON.parse(stdout) as { cost: number; inSloShare: number };
  const lines = readFileSync(log, "utf8").trimEnd().split("\n");
  const last = JSON.parse(lines.at(-1) as string) as { kind: string; cost: number };
  expect(inSloShare).toBeGreaterThanOrEqual(0.95);
  expect(last).toMatchObject({ kind: "summary", cost });
  expect(JSON.parse(lines[0] as string)).toMatchObject({ policy: "hindsight" });
});

it("says which options it does not go with", async () => {
  const { run } = smallReplay();
  const policy = await run("--hindsight", "--policy", "greedy");
  expect(policy.stderr).toContain("--policy and --hindsight are given");
  const share = await run("--share", "0.9");
  expect(share.stderr).toContain("--share needs --hindsight");
});
