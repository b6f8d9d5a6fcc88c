/** `spillway replay` as a user runs it: the limit, the page of charts, and what is wrong with a scenario. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { executable } from "../support/built.ts";
import { runInProcess } from "../support/command-line.ts";
import { fixed, recordOf } from "../support/recorded-queue.ts";
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
  const limited = async (...flags: string[]): Promise<Limited> =>
    JSON.parse((await run("--json", "--scale", "20", ...flags)).stdout) as Limited;

  it("tells the limit and the ratio to it", async () => {
    const { cost, limit, limitRatio } = await limited("--limit", "--policy", "serverless-only");
    expect(limit).toMatchObject({ quantile: 0.5, absence: null });
    expect(limit.cost).toBeGreaterThan(0);
    expect(limit.serverlessOnlyCost).toBeGreaterThan(limit.cost);
    expect(limitRatio).toBe(cost / limit.cost);
    expect((await run("--limit", "--scale", "20")).stdout).toMatch(
      /\nlimit: .*\nratio to the limit: [\d.]+\n$/,
    );
  });

  it("is dearer for a higher quantile, and --limit-quantile asks for it alone", async () => {
    const careful = (await limited("--limit-quantile", "0.99")).limit;
    expect(careful.quantile).toBe(0.99);
    expect(careful.cost).toBeGreaterThanOrEqual((await limited("--limit")).limit.cost);
  });

  it("is not told when nobody asks", async () => {
    expect(await limited()).not.toHaveProperty("limit");
    expect((await run()).stdout).not.toContain("limit");
  });

  it("is none where no function is in time", async () => {
    const { run } = replayIn({ sloMs: 40 });
    expect((await run("--limit")).stdout).toMatch(/limit: none; .*\nratio to the limit: -\n$/);
    const { limit, limitRatio } = JSON.parse((await run("--limit", "--json")).stdout) as Limited;
    expect(limit).toMatchObject({ cost: null, serverlessOnlyCost: null, absence: "infeasible" });
    expect(limitRatio).toBeNull();
  });
});

describe("replay --report", () => {
  const { run, folder, files } = replayIn();
  const path = join(folder, "report.html");

  it("writes a page for one policy, and prints the summary as without", async () => {
    const { status, stdout, stderr } = await run("--policy", "spillway", "--json", "--report", path);
    expect([status, stderr]).toEqual([0, ""]);
    expect(JSON.parse(stdout)).toMatchObject({ kind: "summary", requests: 200 });
    const page = readFileSync(path, "utf8");
    expect(page).toContain("<title>Replay of spillway</title>");
    expect(page.match(/<svg/g)).toHaveLength(5);
  });

  it("writes the same page for the same replays, with all that are compared", () => {
    const flags = [executable, "replay", ...files, "--compare", "fixed,greedy", "--report", path];
    const pages = [1, 2].map(() => {
      expect(spawnSync(process.execPath, flags).status).toBe(0);
      return readFileSync(path, "utf8");
    });
    expect(pages[0]).toBe(pages[1]);
    expect(pages[0]).toContain("<td>greedy</td>");
  });

  it("that cannot be written is an error before anything is replayed", async () => {
    const { status, stderr, stdout } = await run("--report", join(folder, "nowhere", "report.html"));
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("report.html: no such folder");
  });
});

describe("a scenario", () => {
  it("with a key that is probably misspelt is replayed with a warning", async () => {
    const { run, scenarioPath } = replayIn({ serverless: { ...serverless, note: "x" }, sloQuantil: 0.9 });
    const { status, stderr } = await run();
    expect(status).toBe(0);
    expect(stderr).toBe(
      `spillway: ${scenarioPath}: "sloQuantil" is not a known key and is left alone; did you mean "sloQuantile"?\n`,
    );
  });

  it("that names an unknown price sheet is refused at the field", async () => {
    const { run, scenarioPath } = replayIn({ serverless: { ...serverless, prices: "free" } });
    const { status, stderr } = await run();
    expect(status).toBe(2);
    expect(stderr).toContain(`${scenarioPath}:serverless.prices: no price sheet "free"`);
  });
});

describe("replay --record", () => {
  const folder = mkdtempSync(join(tmpdir(), "spillway-record-"));
  folders.push(folder);
  const path = join(folder, "run.ndjson");
  const whole = recordOf(fixed, [0, 5, 30, 31, 32, 33], [1]);
  const check = (text: string, ...flags: string[]) => {
    writeFileSync(path, text);
    return runInProcess("replay", "--record", path, ...flags);
  };

  it("says that the queue decides the same, and what the record holds", async () => {
    const { status, stdout, stderr } = await check(whole);
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/requests: 6 arrived, 6 served\n[^]*identical: \d+ decisions\n$/);
    expect(JSON.parse((await check(whole, "--json")).stdout)).toMatchObject({
      identical: true,
      requests: { arrived: 6, served: 6 },
    });
  });

  it("ends with status 1 at a decision that differs, and names its line", async () => {
    const { status, stdout } = await check(whole.replace('"batchRows":[2,2]', '"batchRows":[1,1]'));
    expect(status).toBe(1);
    expect(stdout).toMatch(/different: decision 1 of \d+, .*run\.ndjson:4, at 0\.005 s\n/);
  });

  it("explains a request, and the lost ones", async () => {
    const { stdout } = await check(whole, "--explain", "2");
    expect(stdout).toMatch(/request 2: 1 row, 30 bytes, model m\n {2}0\.030 s {2}It arrived\./);
    const [{ steps }] = JSON.parse((await check(whole, "--explain", "2", "--json")).stdout).explained;
    expect(steps.at(-1)).toMatchObject({ kind: "end", id: 2, outcome: "served" });
    expect((await check(whole, "--explain", "lost")).stdout).toMatch(/identical: \d+ decisions\n$/);
  });

  it("reads a record whose last line is cut by a crash, and says so", async () => {
    const { status, stdout, stderr } = await check(whole.slice(0, -20));
    expect(status).toBe(0);
    expect(stderr).toMatch(/run\.ndjson:\d+: the line is cut; it is left out\n$/);
    expect(stdout).toContain("1 still open");
  });

  it.each([
    [[], "{}\n", /^spillway: .*run\.ndjson:1: not an event of a record: \{\}\n$/],
    [[], "nonsense\n", /^spillway: .*run\.ndjson:1: /],
    [[], `${whole}5\n`, /^spillway: .*run\.ndjson:\d+: not an event of a record: 5\n$/],
    [["--explain", "6"], whole, /^spillway: --explain is 6; allowed in .*: 0 to 5, or lost\n$/],
    [["--explain", "all"], whole, /--explain is "all"; allowed: /],
    [["--explain", "1", "--policy", "spillway"], whole, /leave --policy, --compare and --hindsight out/],
    [["--trace", "x.csv"], whole, /--trace and --record are given/],
    [["--report", "x.html"], whole, /--report with --record needs a policy/],
    [["--compare"], whole, /a record of fixed has no profile/],
  ])("refuses %j in one line", async (flags, text, message) => {
    const { status, stdout, stderr } = await check(text, ...flags);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd()).not.toContain("\n");
  });
});
