/** Every program in examples/ runs, and prints what its header says. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { executable } from "../support/built.ts";

const folder = fileURLToPath(new URL("../../examples/", import.meta.url));
const programs: ChildProcess[] = [];

async function start(...command: string[]): Promise<string> {
  const program = spawn(process.execPath, [executable, ...command, "--port", "0"], {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  programs.push(program);
  const [{ url }] = (await once(program, "message")) as [{ url: string }];
  return url;
}

afterAll(async () => {
  await Promise.all(
    programs.map((program) => {
      program.kill("SIGTERM");
      return once(program, "exit");
    }),
  );
});

async function printed(name: string, ...flags: string[]): Promise<string[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(folder, name), ...flags]);
  return stdout.trimEnd().split("\n");
}

it("there is a test for each", () => {
  const names = readdirSync(folder).filter((name) => name.endsWith(".mjs"));
  expect(names.map((name) => name.slice(0, 2))).toEqual([
    "01",
    "02",
    "03",
    "04",
    "05",
    "06",
    "07",
    "08",
    "09",
    "10",
  ]);
});

describe("with an edge server", () => {
  let edge = "";
  beforeAll(async () => {
    edge = await start("edge", "--load", "ocr-cls");
  });

  it("01 measures it and asks it through the queue", async () => {
    const lines = await printed("01-library.mjs", edge);
    expect(lines).toHaveLength(5);
    for (const line of lines) expect(line).toMatch(/^request \d: answered by edge in a batch of [1-5]$/);
  });

  it("02 sends batches of four, once nothing is under way", async () => {
    expect(await printed("02-own-policy.mjs", edge)).toEqual(["batch of 1", "batch of 4", "batch of 4"]);
  });

  it("05 sends a burst through the daemon, which refuses what cannot be in time", async () => {
    const queue = await start("vqueue", "--edge", edge, "--no-serverless", "--calibrate", "2");
    const lines = await printed("05-http-burst.mjs", queue);
    expect(lines).toHaveLength(13);
    for (const line of lines.slice(0, 12)) expect(line).toMatch(/: 200 from edge, \d+ rows, waited \d+ ms$/);
    expect(lines[12]).toContain(": 504 ");
  });
});

it("03 squares numbers in batches of three", async () => {
  const lines = await printed("03-own-target.mjs");
  expect(lines).toEqual(
    [1, 2, 3, 4, 5, 6].map((value) => `${value} squared is ${value ** 2}, in a batch of 3`),
  );
});

it("04 shares a burst among two edges and functions", async () => {
  const lines = await printed("04-two-edges-and-two-functions.mjs");
  expect(lines.map((line) => line.split(":")[0])).toEqual(["box", "laptop", "small", "large"]);
  const requests = lines.map((line) => Number(/: (\d+) requests/.exec(line)?.[1]));
  expect(requests.reduce((sum, count) => sum + count)).toBe(150);
  expect(requests[0]).toBeGreaterThan(0);
  expect(lines[0]).toContain(" 0.000000 CNY");
});

it("06 and 08 ask handlers of their own, of texts and of pictures", async () => {
  const edge = await start("edge", "--models", join(folder, "models"));
  expect(await printed("06-own-handler.mjs", edge)).toEqual(["HELLO!", "WORLD!"]);
  const path = join(mkdtempSync(join(tmpdir(), "spillway-example-")), "red.png");
  await sharp({ create: { width: 30, height: 20, channels: 3, background: "red" } }).toFile(path);
  expect(await printed("08-picture-handler.mjs", edge, path)).toEqual(["red.png: 30 x 20, rgb(255, 0, 0)"]);
});

describe("with a daemon before an edge that shouts", () => {
  let queue = "";
  beforeAll(async () => {
    const edge = await start("edge", "--models", join(folder, "models"));
    const lanes = ["--lanes", "people=5@0.999,archive=600", "--join-rows", "shout"];
    queue = await start("vqueue", "--edge", edge, "--no-serverless", "--calibrate", "1", ...lanes);
  });

  it("09 lets people overtake an archive, and says how each lane keeps its promise", async () => {
    expect(await printed("09-lanes.mjs", queue)).toEqual([
      expect.stringMatching(/^people: 2 answers, (before|after) the archive's$/),
      "archive: one answer of 400 rows",
      expect.stringMatching(/^people: \d+ % in time, promised are 99.9 % within 5 s$/),
      expect.stringMatching(/^archive: \d+ % in time, promised are 99 % within 600 s$/),
    ]);
  });

  it("10 has a job done, and collects its rows in order", async () => {
    expect(await printed("10-jobs.mjs", queue)).toEqual([
      "taken: 50 rows, running",
      "row 0: LETTER 0!",
      "row 49: LETTER 49!",
      "done: 50 of 50 rows, 0 failed; jobs here: 1",
    ]);
  });
});

it("07 compares a policy of its own on a recorded trace", async () => {
  const lines = await printed("07-replay-own-policy.mjs");
  expect(lines).toHaveLength(2);
  const costs = lines.map((line) => Number(/: ([\d.]+) CNY per 1000, [\d.]+ % in the SLO$/.exec(line)?.[1]));
  expect(costs[1]).toBeLessThan(costs[0] as number);
});
