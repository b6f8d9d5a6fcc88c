/**
 * Measures what it costs to prove that requests may share runs: how much longer a model takes until it is ready, and the
 * share of the replicas' time under a load of ever new shapes.
 */
import { medianOf } from "../base/quantile.ts";
import { seededRandom } from "../base/random.ts";
import { embeddedPath } from "../edge/models/embedded-ocr.ts";
import { readModelConfig } from "../edge/models/model-config.ts";
import type { ModelFile } from "../edge/models/model-runner.ts";
import type { ReplicaPool } from "../edge/replicas/replica-pool.ts";
import { tensorFromNumbers } from "../protocol/tensor.ts";
import { benchPool } from "./bench-pool.ts";

const shapes = {
  classifier: [1, 3, 48, 192],
  recognition: [1, 3, 48, 192],
  detection: [1, 3, 320, 320],
} as const;

/** A pool of one replica that is ready, and how long that took in milliseconds. */
async function open(
  file: keyof typeof shapes,
  joinRows: boolean | undefined,
): Promise<[ReplicaPool, number]> {
  const config = readModelConfig({ warmUp: [{ x: [...shapes[file]] }], joinRows }, file);
  const model: ModelFile = { name: file, version: "1", path: embeddedPath(file), config };
  const startedAtMs = performance.now();
  const pool = benchPool(model);
  await pool.ready();
  return [pool, performance.now() - startedAtMs];
}

for (const file of ["classifier", "recognition", "detection"] as const) {
  const tookMs: [declared: number[], proved: number[]] = [[], []];
  let proofs = "";
  // In turn, so that other work of the machine affects both.
  for (let round = 0; round < 5; round++) {
    for (const [index, joinRows] of [true, undefined].entries()) {
      const [pool, ms] = await open(file, joinRows);
      tookMs[index]?.push(ms);
      const joining = pool.status().joining;
      if (joinRows === undefined) proofs = `${joining?.state} by ${joining?.proofs} comparisons`;
      await pool.close();
    }
  }
  const [without, withProof] = tookMs.map((each) => medianOf(each).toFixed(0));
  console.log(`${file}: ready after ${without} ms when declared, ${withProof} ms when ${proofs}`);
}

const [pool] = await open("classifier", undefined);
const random = seededRandom(3);
const untilMs = performance.now() + 20_000;
const caller = async (): Promise<void> => {
  while (performance.now() < untilMs) {
    const shape = [1, 3, 48, 16 + Math.floor(random() * 300)];
    const values = Float32Array.from({ length: 3 * 48 * (shape[3] as number) }, random);
    await pool.run({ parameters: {}, inputs: [tensorFromNumbers("x", "FP32", shape, values)] });
  }
};
await Promise.all(Array.from({ length: 16 }, caller));
const status = pool.status().joining;
const share = (status?.proofMs ?? 0) / (status?.busyMs ?? 1);
console.log(
  `classifier, 16 callers with 300 shapes for 20 s: ${status?.state}, ${status?.proofs} comparisons, ` +
    `${(100 * share).toFixed(2)} % of the ${((status?.busyMs ?? 0) / 1_000).toFixed(1)} s that the replica was busy`,
);
await pool.close();
