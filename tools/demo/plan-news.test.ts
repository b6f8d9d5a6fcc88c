import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { followLines } from "./follow-lines.ts";
import { planNews } from "./plan-news.ts";

it("tells of measured targets and of plans, and of nothing else", () => {
  const line = (facts: object): string => JSON.stringify({ name: "vqueue", ...facts });
  expect(planNews(line({ msg: "measured", target: "edge", rows: "1: 2 ms" }))).toBe("measured edge: 1: 2 ms");
  const plan = { msg: "plan", cause: "changepoint", ratePerS: 20.1, text: "edge only" };
  expect(planNews(line(plan))).toBe("plan (changepoint, 20.1 requests/s): edge only");
  expect(planNews(line({ msg: "batch" }))).toBeUndefined();
  expect(planNews(JSON.stringify({ ...plan, name: "edge" }))).toBeUndefined();
  expect(planNews("a warning of native code")).toBeUndefined();
  expect(planNews("null")).toBeUndefined();
});

it("follows a file line by line, and tells the rest when it ends", () => {
  const folder = mkdtempSync(join(tmpdir(), "spillway-follow-"));
  const path = join(folder, "log");
  writeFileSync(path, "before\nhal");
  const lines: string[] = [];
  const end = followLines(path, (line) => lines.push(line));
  appendFileSync(path, "f\nlast\nnot whole");
  end();
  rmSync(folder, { recursive: true });
  expect(lines).toEqual(["before", "half", "last"]);
});
