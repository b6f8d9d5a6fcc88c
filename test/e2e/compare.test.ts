/** `spillway replay --compare` as a user runs it, on a small trace in a small world. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { replayPolicyNames } from "../../replay/peers/registry.ts";
import { runInProcess } from "../support/command-line.ts";
import { recordOf, spillway } from "../support/recorded-queue.ts";
import { serverless, smallReplay } from "../support/small-replay.ts";

const { folder, run: replay } = smallReplay();
afterAll(() => rmSync(folder, { recursive: true }));

describe("replay --compare", () => {
  it.each([[["--compare", "all"]], [["--compare"]]])(
    "prints a table with one line for every policy (%j)",
    async (flags) => {
      const { status, stdout, stderr } = await replay(...flags);
      expect(stderr).toBe("");
      expect(status).toBe(0);
      const [first, table = "", limit] = stdout.split("\n\n");
      expect(first).toMatch(
        /^Of \d+ policies .* the cheapest that meets? the SLO \(\d+ % within \d+ ms\): .*\.$/,
      );
      expect(limit).toMatch(/^limit: \S+ USD, \S+ per 1000 requests .* at quantile 0.5 of service times/);
      const [head = "", ...lines] = table.split("\n");
      const columns = [
        "USD per 1000",
        "ratio to limit",
        "in SLO",
        "% met",
        "p50 / p95 / p99 ms",
        "edge share",
        "mean batch",
      ];
      for (const column of columns) expect(head).toContain(column);
      expect(lines.map((line) => line.split(" ", 1)[0])).toEqual(replayPolicyNames);
      const share = head.indexOf("edge share");
      const shares = lines.map((line) => line.slice(share, share + 8).trim());
      expect(shares[replayPolicyNames.indexOf("edge-only")]).toBe("100.00 %");
      expect(shares[replayPolicyNames.indexOf("serverless-only")]).toBe("0.00 %");
    },
  );

  it("gives each policy, in the order asked for, what it comes to on its own", async () => {
    const { stdout } = await replay(
      "--compare",
      "serverless-only, fixed,serverless-only",
      "--json",
      "--seed",
      "7",
    );
    const alone: object[] = [];
    for (const policy of ["serverless-only", "fixed"]) {
      const own = await replay("--policy", policy, "--limit", "--json", "--seed", "7");
      alone.push({ policy, ...(JSON.parse(own.stdout) as object) });
    }
    expect(JSON.parse(stdout)).toEqual(alone);
  });

  it("with --tune names the parameters that were found, of those that have some", async () => {
    const { stdout, stderr } = await replay("--compare", "triton,greedy", "--tune", "--json", "--scale", "4");
    expect(stderr).toBe("");
    const [triton, greedy] = JSON.parse(stdout) as { inSloShare: number; parameters?: object }[];
    expect(Object.keys(triton?.parameters ?? {})).toEqual(["preferredPart", "queueDelayPart", "timeoutPart"]);
    expect(greedy).not.toHaveProperty("parameters");
    const untuned = JSON.parse((await replay("--policy", "triton", "--json", "--scale", "4")).stdout) as {
      inSloShare: number;
    };
    expect(triton?.inSloShare).toBeGreaterThan(untuned.inSloShare);
    const table = (await replay("--compare", "greedy,triton", "--tune")).stdout.trimEnd().split("\n");
    // The limit comes last, after an empty line.
    expect(table.at(-3)).toMatch(
      /^triton with preferredPart [\d.]+, queueDelayPart [\d.]+, timeoutPart [\d.]+$/,
    );
  });

  it("with --tune logs one policy's replay with what was found, and only that", async () => {
    const log = join(folder, "tuned.ndjson");
    const { stdout } = await replay("--policy", "bentoml", "--tune", "--log", log);
    expect(stdout).toMatch(/^tuned: maxLatencyPart [\d.]+, maxBatchPart [\d.]+$/m);
    const lines = readFileSync(log, "utf8").trimEnd().split("\n");
    const { inSlo } = JSON.parse(lines.at(-1) ?? "") as { inSlo: number };
    expect(stdout).toContain(`200 requests, ${inSlo} in SLO`);
    expect(lines.filter((line) => line.includes('"kind":"header"'))).toHaveLength(1);
  });

  it.each([
    [
      ["--compare", "fixed,cheapest"],
      `--compare names "cheapest"; allowed: all, or some of fixed, edge-only`,
    ],
    [["--compare", "fixed,"], `--compare names ""`],
    [["--compare", "all", "--log", join(folder, "log")], "--log is for one policy"],
    [["--compare", "--policy", "fixed"], "--policy is fixed, but --compare names the policies"],
    [
      ["--policy", "spillway", "--tune"],
      "--tune with --policy spillway, which has no parameters; allowed: fixed",
    ],
    [["--from", "1000000"], "has no request from 1000000 s"],
  ])("ends with status 2 and one clear line for %j", async (flags, message) => {
    const { status, stdout, stderr } = await replay(...flags);
    expect(status).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/\n {4}at /);
  });
});

describe("in a world without functions, or without an edge", () => {
  const edgesAlone = smallReplay({ serverless: { ...serverless, sizes: [] } });
  afterAll(() => rmSync(edgesAlone.folder, { recursive: true }));
  const comparedIn = (stdout: string): string[] =>
    (JSON.parse(stdout) as { policy: string }[]).map(({ policy }) => policy);

  it("compares the policies that can run, and says which cannot", async () => {
    const { status, stdout, stderr } = await edgesAlone.run("--compare", "all", "--json");
    expect(status).toBe(0);
    const able = ["edge-only", "greedy", "clipper", "triton", "bentoml", "spillway"];
    expect(comparedIn(stdout)).toEqual(able);
    const unable = replayPolicyNames.filter((name) => !able.includes(name));
    expect(stderr).toBe(
      unable.map((name) => `spillway: ${name} is left out, because the world has no function\n`).join(""),
    );
  });

  it("refuses a policy that cannot run in one line", async () => {
    const { status, stderr } = await edgesAlone.run("--policy", "serverless-only");
    expect([status, stderr]).toEqual([
      2,
      "spillway: serverless-only cannot run, because the world has no function; allowed: spillway, or --compare all\n",
    ]);
  });

  it.each([
    ["edge", "serverless-only", "function"],
    ["serverless", "edge-only", "edge"],
  ])(
    "does the same for a record of a queue with targets of the kind %s alone",
    async (kind, unable, lacks) => {
      const [head = "", ...events] = recordOf(spillway, [0, 10, 20, 400, 410]).split("\n");
      type Header = Record<"targets", { kind: string }[]>;
      const header = JSON.parse(head) as Header & { policy: Header };
      for (const each of [header, header.policy])
        each.targets = each.targets.filter((target) => target.kind === kind);
      const path = join(folder, `${kind}.ndjson`);
      writeFileSync(path, [JSON.stringify(header), ...events].join("\n"));
      const { status, stdout, stderr } = await runInProcess(
        "replay",
        "--record",
        path,
        "--compare",
        "--json",
      );
      expect(stderr).toContain(`${unable} is left out, because the world has no ${lacks}`);
      expect([status, comparedIn(stdout).at(-1)]).toEqual([0, "spillway"]);
    },
  );
});
