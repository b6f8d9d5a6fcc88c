/** Twenty models that share the memory of about four, asked at random, on a server as a process. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { seededRandom } from "../../base/random.ts";
import { putModel } from "../contract/conformance-models.ts";
import { type RunningEdge, startEdge } from "../contract/running-edge.ts";
import { caller } from "../contract/v2-caller.ts";
import { executable, isAlive } from "../support/built.ts";
import { tinyOnnx } from "../support/tiny-onnx.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-memory-"));
const width = 1_500_000;
/** A model of 6 MB that adds its own number to what it gets. */
const adder = (number: number): Buffer =>
  tinyOnnx(
    [{ name: "x", datatype: "FP32", shape: [-1, 1] }],
    [
      { op: "ReduceMax", inputs: ["w"], output: "most", attributes: { keepdims: 0 } },
      { op: "Add", inputs: ["x", "most"], output: "y" },
    ],
    [{ name: "y", datatype: "FP32", shape: [-1, 1] }],
    { w: { shape: [width], data: new Float32Array(width).fill(number) } },
  );
const names = Array.from({ length: 20 }, (_, index) => `m${String(index).padStart(2, "0")}`);
for (const [index, name] of names.entries())
  putModel(folder, name, "1", adder(index), index === 7 ? "pinned: true\n" : undefined);
putModel(folder, "broken", "1", Buffer.from("no model"));
putModel(folder, "pointer", "1", Buffer.from("version https://git-lfs.github.com/spec/v1\n"));
const bad: ReadonlySet<string> = new Set(["broken", "pointer"]);
const budgetMib = 180;

interface Status {
  readonly modelMemory: {
    readonly usedBytes: number;
    readonly resident: string[];
    readonly loads: number;
    readonly evictions: number;
  };
  readonly models: readonly {
    readonly name: string;
    readonly state: string;
    readonly memory?: { readonly isLoaded: boolean; readonly bytes: number };
    readonly replicas?: { readonly pid?: number }[];
  }[];
}

let edge: RunningEdge;
const call = caller(() => edge.url);
const status = async (): Promise<Status> => (await call("/admin/status")).json as Status;
const ask = (name: string, value: number, timeout?: number) =>
  call(`/v2/models/${name}/infer`, {
    ...(timeout !== undefined && { parameters: { timeout } }),
    inputs: [{ name: "x", datatype: "FP32", shape: [1, 1], data: [value] }],
  });

const isAway = ({ name, memory }: Status["models"][number]): boolean =>
  !bad.has(name) && memory?.isLoaded === false;

/** What all processes of the server's models take, by the system's own word. */
function takenBytes({ pid }: { readonly pid?: number | undefined }): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
  return children.reduce((sum, child) => {
    try {
      const kib = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child}/smaps_rollup`, "utf8"))?.[1];
      return sum + Number(kib ?? 0) * 1_024;
    } catch {
      return sum;
    }
  }, 0);
}

beforeAll(async () => {
  edge = await startEdge("--models", folder, "--model-memory", `${budgetMib}MiB`);
});
afterAll(async () => {
  const pids = (await status()).models.flatMap(({ replicas = [] }) => replicas.map(({ pid }) => pid));
  expect(await edge.stop()).toBe(0);
  expect(pids.filter((pid) => pid !== undefined && isAlive(pid))).toEqual([]);
});

it("loads nothing but what is pinned before it is asked, and says that all can answer", async () => {
  const { models, modelMemory } = await status();
  expect(modelMemory.resident).toEqual(["m07"]);
  expect(models.filter(({ memory }) => memory?.isLoaded === true).map(({ name }) => name)).toEqual(["m07"]);
  expect((await call("/v2/models/m03/ready")).json).toEqual({ name: "m03", ready: true });
  expect((await call("/v2/health/ready")).status).toBe(200);
});

it("answers all of many requests at random, with the memory within the budget", async () => {
  const random = seededRandom(5);
  let left = 40;
  const answers: unknown[] = [];
  let most = 0;
  const watch = setInterval(() => (most = Math.max(most, takenBytes({ pid: edge.child.pid }))), 20);
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      const index = Math.floor(random() * names.length);
      const { status: code, json } = await ask(names[index] as string, 100);
      const { outputs } = json as { outputs?: { data: number[] }[] };
      answers.push([code, outputs?.[0]?.data[0] === 100 + index]);
    }
  };
  await Promise.all(Array.from({ length: 6 }, client));
  clearInterval(watch);
  expect(answers).toHaveLength(40);
  expect(answers.filter((each) => JSON.stringify(each) !== "[200,true]")).toEqual([]);
  const { modelMemory, models } = await status();
  expect(modelMemory.loads).toBeGreaterThan(15);
  expect(modelMemory.evictions).toBeGreaterThan(8);
  expect(modelMemory.resident).toContain("m07");
  expect(models.filter(({ memory }) => memory?.isLoaded === true).length).toBeLessThan(12);
  expect(most / 2 ** 20).toBeLessThan(budgetMib);
}, 240_000);

it("answers many requests for one model that is away by loading it once", async () => {
  const away = (await status()).models.find(isAway)?.name as string;
  const before = (await status()).modelMemory.loads;
  const all = await Promise.all(Array.from({ length: 20 }, () => ask(away, 1)));
  expect(all.filter(({ status: code }) => code !== 200)).toEqual([]);
  expect((await status()).modelMemory.loads).toBe(before + 1);
});

it("replaces a version while it is asked, beside the others", async () => {
  putModel(folder, "m05", "2", adder(50));
  const asked = Promise.all(Array.from({ length: 10 }, () => ask("m05", 1)));
  expect((await call("/v2/repository/models/m05/load", {})).status).toBe(200);
  expect((await asked).filter(({ status: code }) => code !== 200)).toEqual([]);
  expect((await ask("m05", 1)).json).toMatchObject({ model_version: "2", outputs: [{ data: [51] }] });
});

it("describes a model that is away, and names an example for it", async () => {
  const away = (await status()).models.find(isAway)?.name as string;
  expect((await call(`/v2/models/${away}`)).json).toMatchObject({ name: away, inputs: [{ name: "x" }] });
  expect((await call(`/v2/models/${away}/example`)).status).toBe(200);
});

it("ends a request at its deadline while it waits for its model", async () => {
  const away = (await status()).models.find(isAway)?.name as string;
  expect((await ask(away, 1, 1_000)).status).toBe(504);
});

it("says of a model that cannot be loaded why, once somebody has asked for it", async () => {
  expect((await call("/v2/models/broken/ready")).status).toBe(200);
  expect(await ask("broken", 1)).toMatchObject({
    status: 503,
    json: { error: expect.stringMatching(/model broken cannot be loaded: .*protobuf/i) },
  });
  expect(await call("/v2/models/broken/ready")).toMatchObject({
    status: 503,
    json: { ready: false, reason: expect.stringMatching(/protobuf/i) },
  });
  expect((await call("/v2/health/ready")).status).toBe(200);
});

it("never says of a file that is plainly no model that it is ready", async () => {
  const reason = expect.stringContaining("it is a Git LFS pointer") as string;
  expect(await call("/v2/models/pointer/ready")).toMatchObject({
    status: 503,
    json: { ready: false, reason },
  });
  expect(await call("/v2/health/ready")).toMatchObject({
    status: 200,
    json: { unavailable: expect.arrayContaining([{ name: "pointer", reason }]) },
  });
});

it("says at once of a model that is too large for the budget that it can never be loaded", async () => {
  const small = await startEdge(
    "--models",
    folder,
    "--model-memory",
    "20MiB",
    "--load",
    "m01,m02",
    "--no-wait",
  );
  const { status: code, json } = await caller(() => small.url)("/v2/models/m01/infer", {
    inputs: [{ name: "x", datatype: "FP32", shape: [1, 1], data: [1] }],
  });
  expect([code, json]).toEqual([
    503,
    {
      error: expect.stringMatching(
        /m01 cannot be loaded: it needs about 60 MiB, and --model-memory leaves 20 MiB/,
      ),
    },
  ]);
  expect(await small.stop()).toBe(0);
});

it("is loaded once for each model by a queue that measures it, and serves all of them through the queue", async () => {
  const first = 10;
  const few = names.slice(first, first + 7);
  const small = await startEdge("--models", folder, "--load", few.join(","), "--model-memory", "130MiB");
  const queue = spawn(
    process.execPath,
    [executable, "vqueue", "--edge", small.url, "--no-serverless", "--slo", "30", "--port", "0"],
    { stdio: ["ignore", "ignore", "inherit", "ipc"] },
  );
  const [{ url }] = (await once(queue, "message")) as [{ url: string }];
  const ofEdge = caller(() => small.url);
  const { json } = await ofEdge("/admin/status");
  expect((json as Status).modelMemory.loads).toBeLessThanOrEqual(few.length);
  expect((await ofEdge("/v2/repository/index", "")).json).toContainEqual(
    expect.objectContaining({ name: few[0], state: "READY", on_demand: true }),
  );
  const ofQueue = caller(() => url);
  for (const [index, name] of few.entries()) {
    const inputs = [{ name: "x", datatype: "FP32", shape: [1, 1], data: [0.5] }];
    const { status: code, json: answer } = await ofQueue(`/v2/models/${name}/infer`, { inputs });
    expect([code, answer]).toMatchObject([200, { outputs: [{ data: [first + index + 0.5] }] }]);
  }
  queue.kill("SIGTERM");
  await once(queue, "exit");
  expect(await small.stop()).toBe(0);
});
