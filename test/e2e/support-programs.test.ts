/** Programs of the user's own beside the models of a server as a process. */
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { identityModel, putModel } from "../contract/conformance-models.ts";
import { type RunningEdge, startEdge } from "../contract/running-edge.ts";
import { caller } from "../contract/v2-caller.ts";
import { eventually, isAlive } from "../support/built.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-support-"));
putModel(join(folder, "models"), "m", "1", identityModel(["FP32"], [2]));

interface Program {
  readonly name: string;
  readonly state: string;
  readonly pid?: number;
  readonly runs: number;
  readonly faults: number;
  readonly lastEnd?: string;
}

/** A server with these programs in its settings. */
function startWith(support: readonly object[]): Promise<RunningEdge> {
  const config = join(folder, "edge.yaml");
  writeFileSync(config, JSON.stringify({ models: join(folder, "models"), support }));
  return startEdge("--config", config);
}

async function programsOf({ url }: RunningEdge): Promise<Program[]> {
  const { json } = await caller(() => url)("/admin/status");
  return (json as { support: Program[] }).support;
}

it("run all the time or in a period, are started again after pauses, and tell the log what they print", async () => {
  const marks = join(folder, "marks");
  const edge = await startWith([
    {
      name: "long",
      command: ["sh", "-c", "echo here is $WHO >&2; sleep 1000 & wait"],
      env: { WHO: "a camera" },
    },
    { name: "often", command: `echo x >> ${marks}`, everyS: 0.2 },
    { name: "ends", command: ["sh", "-c", "exit 3"] },
    { name: "missing", command: ["/no/such/program"] },
  ]);
  const pid = await eventually(async () => {
    const [long, often, ends, missing] = await programsOf(edge);
    expect(long).toMatchObject({ state: "running", runs: 1, faults: 0 });
    expect(often?.runs).toBeGreaterThan(2);
    expect(often).toMatchObject({ faults: 0, lastEnd: "exit status 0" });
    expect(ends?.faults).toBeGreaterThan(2);
    expect(ends?.lastEnd).toBe("exit status 3");
    expect(missing?.lastEnd).toMatch(/cannot be started: .*ENOENT/);
    return long?.pid as number;
  });
  expect(readFileSync(marks, "utf8").split("\n").length).toBeGreaterThan(2);
  const line = edge
    .log()
    .split("\n")
    .find((each) => each.includes("here is a camera")) as string;
  expect(JSON.parse(line)).toMatchObject({ support: "long", stream: "stderr", msg: "here is a camera" });
  expect(isAlive(pid)).toBe(true);
  expect(await edge.stop()).toBe(0);
  expect(isAlive(pid)).toBe(false);
});

it("end with what they have started when the server is killed, also when they do not listen", async () => {
  const childFile = join(folder, "child");
  const stubborn = `trap "" TERM; sleep 1000 & echo $! > ${childFile}; while true; do sleep 0.2; done`;
  const edge = await startWith([{ command: ["sh", "-c", stubborn] }]);
  const [program] = await eventually(async () => {
    const found = await programsOf(edge);
    expect(found[0]).toMatchObject({ name: "support-1", state: "running" });
    expect(existsSync(childFile) && readFileSync(childFile, "utf8").trim()).toBeTruthy();
    return found;
  });
  const child = Number(readFileSync(childFile, "utf8"));
  const ended = once(edge.child, "close");
  edge.child.kill("SIGKILL");
  await ended;
  await eventually(() => expect([program?.pid as number, child].filter(isAlive)).toEqual([]));
});

it.each([
  [[{ command: "x", every: 3 }], /program 1: unknown key "every"; did you mean "everyS"/],
  [[{ name: "a" }], /program 1: command is .*/],
  [
    [
      { command: "x", name: "a" },
      { command: "y", name: "a" },
    ],
    /two programs are called "a"/,
  ],
])("are refused with what is wrong in %j", async (support, why) => {
  await expect(startWith(support)).rejects.toThrow(why);
});
