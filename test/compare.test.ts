/** `spillway replay --compare` as a user runs it, on a small trace in a small world. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { policyNames } from "../client/policies/registry.ts";
import { smallReplay } from "./small-replay.ts";

const { folder, run: replay } = smallReplay();
afterAll(() => rmSync(folder, { recursive: true }));

describe("replay --compare", () => {
  it.each([[["--compare", "all"]], [["--compare"]]])(
    "prints a table with one line for every policy (%j)",
    (flags) => {
      const { status, stdout, stderr } = replay(...flags);
      expect(stderr).toBe("");
      expect(status).toBe(0);
      const [table = "", limit] = stdout.split("\n\n");
      expect(limit).toMatch(/^limit: \S+ USD, \S+ per 1000 requests .* at quantile 0.5 of service times/);
      const [head = "", ...lines] = table.split("\n");
      const columns = [
        "USD per 1000",
        "ratio to limit",
        "in SLO",
        "p50 / p95 / p99 ms",
        "edge share",
        "mean batch",
      ];
      for (const column of columns) expect(head).toContain(column);
      expect(lines.map((line) => line.split(" ", 1)[0])).toEqual(policyNames);
      const share = head.indexOf("edge share");
      const shares = lines.map((line) => line.slice(share, share + 8).trim());
      expect(shares[policyNames.indexOf("edge-only")]).toBe("100.00 %");
      expect(shares[policyNames.indexOf("serverless-only")]).toBe("0.00 %");
    },
  );

  it("gives each policy, in the order asked for, what it comes to on its own", () => {
    const { stdout } = replay("--compare", "serverless-only, fixed,serverless-only", "--json", "--seed", "7");
    const alone = ["serverless-only", "fixed"].map((policy) => {
      const own = replay("--policy", policy, "--limit", "--json", "--seed", "7");
      return { policy, ...(JSON.parse(own.stdout) as object) };
    });
    expect(JSON.parse(stdout)).toEqual(alone);
  });

  it.each([
    [
      ["--compare", "fixed,cheapest"],
      `--compare names "cheapest"; allowed: all, or some of fixed, edge-only`,
    ],
    [["--compare", "fixed,"], `--compare names ""`],
    [["--compare", "all", "--log", join(folder, "log")], "--log is of one policy"],
    [["--compare", "--policy", "fixed"], "--policy is fixed, but --compare names the policies"],
  ])("ends with status 2 and one clear line for %j", (flags, message) => {
    const { status, stdout, stderr } = replay(...flags);
    expect(status).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/\n {4}at /);
  });
});
