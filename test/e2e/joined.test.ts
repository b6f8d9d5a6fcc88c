import { readFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { RunningProgram } from "../contract/running-program.ts";
import { executable } from "../support/built.ts";
import { type DoublingServer, doublingServer } from "../support/doubling-server.ts";
import { askDouble, startJoined } from "../support/joined-daemons.ts";
import { natsPrograms, type NatsServer, startNats } from "../support/nats-server.ts";

const slow = { tags: ["slow"] };
let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "spillway-joined-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Modules of the packages of NATS that the daemon has loaded when it ends. */
async function loadedModules(flags: readonly string[]): Promise<string[]> {
  const [told, hook] = [join(folder, "loaded.json"), join(folder, "hook.cjs")];
  writeFileSync(
    hook,
    `process.on("exit", () => require("fs").writeFileSync(${JSON.stringify(told)}, JSON.stringify(Object.keys(require("module")._cache))));`,
  );
  const args = ["--require", hook, executable, "vqueue", "--port", "0", "--no-serverless", ...flags];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.on("data", (text: Buffer) => (log += text.toString()));
  const ended = once(child, "close");
  await expect.poll(() => log).toMatch(/trying again|cannot be reached/);
  child.kill("SIGTERM");
  await ended;
  const modules = JSON.parse(readFileSync(told, "utf8")) as string[];
  return modules.filter((path) => path.includes("@nats-io"));
}

it("without --join nothing of NATS is loaded, with it everything", slow, async () => {
  const flags = ["--edge", "http://127.0.0.1:9", "--calibrate", "0"];
  expect(await loadedModules(flags)).toEqual([]);
  expect((await loadedModules([...flags, "--join", "127.0.0.1:9"])).length).toBeGreaterThan(10);
});

describe.each(natsPrograms)("daemons that joined nats-server $version", slow, (program) => {
  const nobody = "http://127.0.0.1:9";
  let nats: NatsServer;
  let edge: DoublingServer;
  const started: RunningProgram[] = [];
  const daemon = async (at: string, ...flags: string[]): Promise<RunningProgram> => {
    const made = await startJoined(nats.address, at, ...flags);
    started.push(made);
    return made;
  };
  beforeAll(async () => {
    nats = await startNats({ program });
    edge = await doublingServer({ serviceMs: () => 2 });
  });
  afterEach(async () => {
    await Promise.all(started.splice(0).map((each) => each.stop()));
  });
  afterAll(async () => {
    edge.close();
    await nats.stop();
  });

  it("answer what another one's edge serves, and know no other models", async () => {
    const [owner, front] = [await daemon(edge.url), await daemon(nobody)];
    await expect.poll(() => askDouble(front.url, 4)).toMatchObject({ status: 200, value: 8 });
    const values = Array.from({ length: 200 }, (_, index) => index + 1);
    const answers = await Promise.all(
      values.map((value) => askDouble([owner, front][value % 2]?.url ?? "", value)),
    );
    expect(answers.map(({ value }) => value)).toEqual(values.map((value) => 2 * value));
    // Those that waited together shared batches, whoever took them.
    expect(Math.max(...edge.batches)).toBeGreaterThan(1);
    const other = await fetch(`${front.url}/v2/models/other/infer`, { method: "POST", body: "{}" });
    expect(other.status).toBeGreaterThanOrEqual(400);
    expect(await owner.stop()).toBe(0);
  });

  it("tell a caller whose model nobody serves any more, when its time is over", async () => {
    const [owner, front] = [await daemon(edge.url), await daemon(nobody)];
    await expect.poll(() => askDouble(front.url, 4)).toMatchObject({ value: 8 });
    await owner.stop();
    const { status, error } = await askDouble(front.url, 5, 1_000_000);
    expect([status, error]).toEqual([504, expect.stringMatching(/no daemon that serves the model|deadline/)]);
  });

  it("go on when the owner is killed: the next one answers what it held", async () => {
    const [first, front] = [await daemon(edge.url), await daemon(nobody)];
    await expect.poll(() => askDouble(front.url, 4)).toMatchObject({ value: 8 });
    await daemon(edge.url);
    const answers = Array.from({ length: 50 }, (_, index) => askDouble(front.url, index + 1));
    first.child.kill("SIGKILL");
    const more = Array.from({ length: 50 }, (_, index) => askDouble(front.url, index + 51));
    const values = (await Promise.all([...answers, ...more])).map(({ value }) => value);
    expect(values).toEqual(Array.from({ length: 100 }, (_, index) => 2 * (index + 1)));
  });

  it("refuse while the server is away, and answer when it is back", async () => {
    const [owner, front] = [await daemon(edge.url), await daemon(nobody)];
    await expect.poll(() => askDouble(front.url, 4)).toMatchObject({ value: 8 });
    await nats.end("SIGKILL");
    expect([502, 503, 504]).toContain((await askDouble(front.url, 5, 500_000)).status);
    const waiting = askDouble(front.url, 6);
    await nats.start();
    expect(await waiting).toMatchObject({ status: 200, value: 12 });
    expect(await askDouble(owner.url, 7)).toMatchObject({ status: 200, value: 14 });
  });
});
