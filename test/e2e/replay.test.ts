/** `spillway replay` as a user runs it: the limit, the page of charts, and what is wrong with a scenario. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { serverless, smallReplay } from "../support/small-replay.ts";

const folders: string[] = [];
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true })));

function replayIn(change: object = {}) {
  const replay = smallReplay(change);
  folders.push(replay.folder);
  return replay;
}

interface Limited {
  readonly cost: number;
  readonly limit: { readonly cost: number; readonly serverlessOnlyCost: number; readonly quantile: number };
  readonly limitRatio: number | null;
}

describe("replay --limit", () => {
  const { run } = replayIn();
  const limited = (...flags: string[]): Limited =>
    JSON.parse(run("--json", "--scale", "20", ...flags).stdout) as Limited;

  it("tells the limit and the ratio to it", () => {
    const { cost, limit, limitRatio } = limited("--limit", "--policy", "serverless-only");
    expect(limit).toMatchObject({ quantile: 0.5, absence: null });
    expect(limit.cost).toBeGreaterThan(0);
    expect(limit.serverlessOnlyCost).toBeGreaterThan(limit.cost);
    expect(limitRatio).toBe(cost / limit.cost);
    expect(run("--limit", "--scale", "20").stdout).toMatch(/\nlimit: .*\nratio to the limit: [\d.]+\n$/);
  });

  it("is dearer for a higher quantile, and --limit-quantile asks for it alone", () => {
    const careful = limited("--limit-quantile", "0.99").limit;
    expect(careful.quantile).toBe(0.99);
    expect(careful.cost).toBeGreaterThanOrEqual(limited("--limit").limit.cost);
  });

  it("is not told when nobody asks", () => {
    expect(limited()).not.toHaveProperty("limit");
    expect(run().stdout).not.toContain("limit");
  });

  it("is none where no function is in time", () => {
    const { run } = replayIn({ sloMs: 40 });
    expect(run("--limit").stdout).toMatch(/limit: none; .*\nratio to the limit: -\n$/);
    const { limit, limitRatio } = JSON.parse(run("--limit", "--json").stdout) as Limited;
    expect(limit).toMatchObject({ cost: null, serverlessOnlyCost: null, absence: "infeasible" });
    expect(limitRatio).toBeNull();
  });
});

describe("replay --report", () => {
  const { run, folder } = replayIn();
  const path = join(folder, "report.html");

  it("writes a page for one policy, and prints the summary as without", () => {
    const { status, stdout, stderr } = run("--policy", "spillway", "--json", "--report", path);
    expect([status, stderr]).toEqual([0, ""]);
    expect(JSON.parse(stdout)).toMatchObject({ kind: "summary", requests: 200 });
    const page = readFileSync(path, "utf8");
    expect(page).toContain("<title>Replay of spillway</title>");
    expect(page.match(/<svg/g)).toHaveLength(5);
  });

  it("writes the same page for the same replays, with all that are compared", () => {
    const pages = [1, 2].map(() => {
      expect(run("--compare", "fixed,greedy", "--report", path).status).toBe(0);
      return readFileSync(path, "utf8");
    });
    expect(pages[0]).toBe(pages[1]);
    expect(pages[0]).toContain("<td>greedy</td>");
  });

  it("that cannot be written is an error before anything is replayed", () => {
    const { status, stderr, stdout } = run("--report", join(folder, "nowhere", "report.html"));
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("report.html: no such folder");
  });
});

describe("a scenario", () => {
  it("with a key that is probably misspelt is replayed with a warning", () => {
    const { run, scenarioPath } = replayIn({ serverless: { ...serverless, note: "x" }, sloQuantil: 0.9 });
    const { status, stderr } = run();
    expect(status).toBe(0);
    expect(stderr).toBe(
      `spillway: ${scenarioPath}: "sloQuantil" is not a known key and is left alone; did you mean "sloQuantile"?\n`,
    );
  });

  it("that names an unknown price sheet is refused at the field", () => {
    const { run, scenarioPath } = replayIn({ serverless: { ...serverless, prices: "free" } });
    const { status, stderr } = run();
    expect(status).toBe(2);
    expect(stderr).toContain(`${scenarioPath}:serverless.prices: no price sheet "free"`);
  });
});
