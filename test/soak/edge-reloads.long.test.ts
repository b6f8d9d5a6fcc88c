/** Reloads while the edge server works: no error, no gap, and memory that does not grow. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { processMemoryBytes } from "../../edge/observe/metrics.ts";
import { identityModel, putModel } from "../contract/conformance-models.ts";
import { startEdge } from "../contract/running-edge.ts";
import { adminTokenHere } from "../support/admin-token.ts";
import { caller } from "../contract/v2-caller.ts";
import { tinyZip } from "../support/tiny-zip.ts";

const row = { inputs: [{ name: "IN_FP32", datatype: "FP32", shape: [1, 2], data: [1, 2] }] };
const newFolder = (): string => mkdtempSync(join(tmpdir(), "spillway-reloads-"));
const mib = 2 ** 20;

it("a hundred reloads under load lose no request and leave memory flat", { timeout: 900_000 }, async () => {
  const folder = newFolder();
  putModel(folder, "id", "1", identityModel(["FP32"], [2]));
  const zip = join(newFolder(), "id.zip");
  writeFileSync(zip, tinyZip([{ name: "model.onnx", content: identityModel(["FP32"], [2]) }]));
  // A small heap: without a leak it suffices, and what a leak holds shows before the collector is bothered.
  process.env["NODE_OPTIONS"] = "--max-old-space-size=64 --max-semi-space-size=1";
  const edge = await startEdge("--models", folder, "--log-level", "warn");
  delete process.env["NODE_OPTIONS"];
  const call = caller(() => edge.url);
  const headers = { authorization: `Bearer ${adminTokenHere()}` };
  const loading = new AbortController();
  const statuses = new Map<number, number>();
  const ask = async (): Promise<void> => {
    while (!loading.signal.aborted) {
      const { status } = await call("/v2/models/id/infer", row);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  const asking = Promise.all([ask(), ask(), ask(), ask()]);
  const memoryMib: number[] = [];
  for (let reload = 0; reload < 100; reload++) {
    const parameters = reload % 2 === 0 ? { spillway_zip: zip } : {};
    const { status, json } = await call("/v2/repository/models/id/load", { parameters }, { headers });
    expect(status, JSON.stringify(json)).toBe(200);
    memoryMib.push((processMemoryBytes(edge.child.pid as number) ?? 0) / mib);
  }
  loading.abort();
  await asking;
  await edge.stop();
  const mean = (values: number[]): number => values.reduce((sum, each) => sum + each, 0) / values.length;
  const [early, late] = [mean(memoryMib.slice(20, 40)), mean(memoryMib.slice(80))];
  const total = [...statuses.values()].reduce((sum, each) => sum + each, 0);
  process.stdout.write(
    `${total} requests; ${early.toFixed(0)} MiB after 30 reloads, ${late.toFixed(0)} after 90\n`,
  );
  expect([...statuses.keys()]).toEqual([200]);
  expect(total).toBeGreaterThan(1_000);
  expect(late - early).toBeLessThan(20);
  expect(readdirSync(join(folder, "id")).toSorted((a, b) => Number(a) - Number(b))).toEqual([
    "1",
    "50",
    "51",
  ]);
});

it("a full disk refuses the model, says so, and leaves what serves and no rubbish", async ({ skip }) => {
  const folder = newFolder();
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], { stdio: "pipe" });
  } catch (error) {
    return skip(`a tmpfs cannot be mounted here: ${(error as Error).message}`);
  }
  try {
    putModel(folder, "id", "1", identityModel(["FP32"], [2]));
    const zip = join(newFolder(), "large.zip");
    const weights = Buffer.from(Array.from({ length: 4 * mib }, (_, index) => (index * 7_919) >> 3));
    const entries = [
      { name: "model.onnx", content: identityModel(["FP32"], [2]) },
      { name: "weights.bin", content: weights },
    ];
    writeFileSync(zip, tinyZip(entries));
    const edge = await startEdge("--models", folder);
    const call = caller(() => edge.url);
    const headers = { authorization: `Bearer ${adminTokenHere()}` };
    const answer = await call(
      "/v2/repository/models/id/load",
      { parameters: { spillway_zip: zip } },
      { headers },
    );
    expect(answer).toMatchObject({
      status: 400,
      json: { error: expect.stringMatching(/ENOSPC.*version 1 goes on/s) },
    });
    expect((await call("/v2/models/id/infer", row)).status).toBe(200);
    expect(readdirSync(join(folder, ".incoming"))).toEqual([]);
    mkdirSync(join(folder, "there-is-room"));
    expect(await edge.stop()).toBe(0);
  } finally {
    execFileSync("umount", [folder]);
  }
});
