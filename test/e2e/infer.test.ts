/** `infer` as a user has it: real programs, killed and stopped in the middle, and a model that tells what it was asked. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startProgram, type RunningProgram } from "../contract/running-program.ts";
import { eventually, executable } from "../support/built.ts";
import { runInProcess } from "../support/command-line.ts";
import { freePorts } from "../support/free-ports.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-infer-"));
const asked = join(folder, "asked.txt");
/** Says texts in capitals, refuses those with a question mark, takes 5 ms for each, and notes what it answered. */
const handler = `
  import { appendFileSync } from "node:fs";
  export const inputs = [{ name: "text", datatype: "BYTES", shape: [-1] }];
  export const outputs = [{ name: "said", datatype: "BYTES", shape: [-1] }];
  const texts = ({ data }) => {
    const all = [];
    for (let at = 0; at < data.length;) {
      const length = new DataView(data.buffer, data.byteOffset).getUint32(at, true);
      all.push(Buffer.from(data.subarray(at + 4, at + 4 + length)).toString());
      at += 4 + length;
    }
    return all;
  };
  export function preprocess(inputs) {
    if (texts(inputs[0]).some((text) => text.includes("?")))
      throw Object.assign(new Error("it is a question"), { status: 422 });
    return { inputs };
  }
  export async function predict([text]) {
    const all = texts(text);
    await new Promise((resolve) => setTimeout(resolve, 5 * all.length));
    appendFileSync(${JSON.stringify(asked)}, all.map((each) => each + "\\n").join(""));
    const said = all.flatMap((each) => {
      const bytes = Buffer.from(each.toUpperCase());
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return [length, bytes];
    });
    return [{ name: "said", datatype: "BYTES", shape: text.shape, data: new Uint8Array(Buffer.concat(said)) }];
  }
`;
const count = 600;
const texts = Array.from({ length: count }, (_, row) => (row % 200 === 7 ? `why ${row}?` : `text ${row}`));

let edge: RunningProgram;
let queue: RunningProgram;
const queueFlags = (): string[] => [
  "--edge",
  edge.url,
  "--no-serverless",
  "--calibrate",
  "0",
  "--models",
  "say",
];

beforeAll(async () => {
  mkdirSync(join(folder, "models/say"), { recursive: true });
  writeFileSync(join(folder, "models/say/handler.mjs"), handler);
  writeFileSync(join(folder, "models/say/config.yaml"), "joinRows: true\n");
  writeFileSync(join(folder, "texts.txt"), `${texts.join("\n")}\n`);
  writeFileSync(join(folder, "texts.jsonl"), `${texts.map((text) => JSON.stringify(text)).join("\n")}\n`);
  edge = await startProgram("edge", ["--models", join(folder, "models")]);
  queue = await startProgram("vqueue", queueFlags());
});

afterAll(async () => {
  await queue.stop();
  await edge.stop();
  rmSync(folder, { recursive: true });
});

const flagsOf = (out: string, input: string, ...more: string[]): string[] => [
  "infer",
  join(folder, input),
  "--model",
  "say",
  "--out",
  join(folder, out),
  "--batch",
  "16",
  ...more,
];

function start(out: string, input: string, ...more: string[]): ChildProcess {
  const flags = flagsOf(out, input, ...more);
  return spawn(process.execPath, [executable, ...flags], { stdio: ["ignore", "pipe", "pipe"] });
}

/** Not in this process, which would listen to signals from then on. */
async function run(...flags: Parameters<typeof start>) {
  const child = start(...flags);
  const written = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const)
    child[stream]?.on("data", (text) => (written[stream] += text));
  const [status] = (await once(child, "close")) as [number];
  return { status, ...written };
}

interface Line {
  readonly row: number;
  readonly line: number;
  readonly error?: string;
  readonly outputs?: readonly { readonly data: readonly string[] }[];
}

const textIn = (path: string): string => (existsSync(path) ? readFileSync(path, "utf8") : "");
const linesIn = (out: string): Line[] =>
  textIn(join(folder, out))
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);

function expectAll(out: string): void {
  const said = linesIn(out).map(({ row, line, error, outputs }) => [
    row,
    line,
    error ?? outputs?.[0]?.data[0],
  ]);
  expect(said).toEqual(
    texts.map((text, row) => [row, row + 1, text.includes("?") ? "it is a question" : text.toUpperCase()]),
  );
}

/** How often each text was answered. */
const timesAsked = (): Map<string, number> => {
  const times = new Map<string, number>();
  for (const text of textIn(asked).split("\n")) if (text !== "") times.set(text, (times.get(text) ?? 0) + 1);
  return times;
};

it("answers every row in order, tells of the bad ones, and says who did what", async () => {
  const { status, stdout, stderr } = await runInProcess(
    ...flagsOf("all.jsonl", "texts.jsonl", "--url", queue.url),
  );
  expect(stderr).toBe("");
  expect(status).toBe(1);
  expect(stdout).toMatch(/^600 rows in .* 597 answered, 3 failed\n/);
  expect(stdout).toMatch(/^edge replica 0 +597 +/m);
  expectAll("all.jsonl");
  const again = await run("all.jsonl", "texts.jsonl", "--url", queue.url);
  expect([again.status, again.stdout]).toEqual([1, expect.stringContaining("nothing to do")]);
});

it("goes on after kill -9 and Ctrl-C, and asks for nothing again that was answered", async () => {
  writeFileSync(asked, "");
  const url = ["--url", queue.url];
  const killed = start("killed.jsonl", "texts.txt", ...url);
  await eventually(() => expect(linesIn("killed.jsonl").length).toBeGreaterThan(100));
  killed.kill("SIGKILL");
  await once(killed, "close");
  const kept = linesIn("killed.jsonl").filter(({ error }) => error === undefined);
  const stopped = start("killed.jsonl", "texts.txt", ...url);
  await eventually(() => expect(linesIn("killed.jsonl").length).toBeGreaterThan(300));
  stopped.kill("SIGINT");
  const [status] = (await once(stopped, "close")) as [number];
  expect(status).toBe(1);
  expect((await run("killed.jsonl", "texts.txt", ...url)).status).toBe(1);
  expectAll("killed.jsonl");
  const times = timesAsked();
  // Rows that shared a request with a bad one were run with it and without it.
  const isFar = (row: number): boolean =>
    texts.slice(Math.max(0, row - 16), row + 17).every((text) => !text.includes("?"));
  // What was under way when it was killed is asked for again, and nothing else.
  for (const { row } of kept.filter(({ row: each }) => isFar(each)))
    expect([row, times.get(texts[row] ?? "")]).toEqual([row, 1]);
  const twice = texts.filter((text, row) => isFar(row) && (times.get(text) ?? 0) > 1).length;
  expect(twice).toBeLessThanOrEqual(4 * 16);
});

it("waits for a daemon that is killed and comes back", async () => {
  const [port = 0] = await freePorts(1);
  const fixed = [...queueFlags(), "--port", String(port)];
  const first = await startProgram("vqueue", fixed);
  const run = start("restart.jsonl", "texts.jsonl", "--url", first.url);
  await eventually(() => expect(linesIn("restart.jsonl").length).toBeGreaterThan(100));
  first.child.kill("SIGKILL");
  await once(first.child, "close");
  const second = await startProgram("vqueue", fixed);
  const [status] = (await once(run, "close")) as [number];
  expect(status).toBe(1);
  expectAll("restart.jsonl");
  await second.stop();
});

it.each([
  ["an unknown model", ["--model", "nope"], 'answers 404: no model "nope"'],
  ["a server that is not there", ["--url", "http://127.0.0.1:1"], "ECONNREFUSED"],
  ["a file of results that is another", ["--out", "INPUT"], "exists, and no"],
])("says in one line what is wrong: %s", async (_, flags, why) => {
  const given = flags.map((flag) => (flag === "INPUT" ? join(folder, "texts.txt") : flag));
  const { status, stderr } = await runInProcess(
    ...flagsOf("none.jsonl", "texts.jsonl", "--url", queue.url),
    ...given,
  );
  expect([status, stderr]).toEqual([2, expect.stringContaining(why)]);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(existsSync(join(folder, "none.jsonl"))).toBe(false);
  expect(textIn(join(folder, "texts.txt"))).toBe(`${texts.join("\n")}\n`);
});
