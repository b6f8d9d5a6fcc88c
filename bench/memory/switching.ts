/**
 * Measures how long a request takes whose model is not in memory, where another has to leave: an embedded
 * model under two names by turns, in the memory of one.
 */
import { pino } from "pino";
import { medianOf } from "../../base/quantile.ts";
import { ModelMemory } from "../../edge/memory/model-memory.ts";
import { estimatedBytes } from "../../edge/memory/estimated-bytes.ts";
import { OnDemandModel } from "../../edge/memory/on-demand-model.ts";
import { SpareProcess } from "../../edge/memory/spare-process.ts";
import type { ModelFile } from "../../edge/models/model-runner.ts";
import { embeddedModels } from "../../edge/models/repository.ts";
import { ReplicaPool } from "../../edge/replicas/replica-pool.ts";
import { tensorFromNumbers } from "../../protocol/tensor.ts";

const entry = new URL("../../edge/replicas/replica-process.js", import.meta.url);
const log = pino({ level: "silent" });
const line = tensorFromNumbers("x", "FP32", [1, 3, 48, 96], new Float32Array(3 * 48 * 96).fill(0.5));
const request = { parameters: {}, inputs: [line] };
const switches = 10;
/** Between two switches. */
const pauseMs = 2_000;
const bytesPerMib = 2 ** 20;

const recognition = embeddedModels().find(({ name }) => name === "ocr-rec") as ModelFile;
const served = ["a", "b"].map((name): ModelFile => Object.assign({}, recognition, { name }));

async function measured(budgetBytes: number): Promise<{ switchMs: number; warmMs: number; usedMib: number }> {
  const spare = new SpareProcess(entry);
  const memory = new ModelMemory(budgetBytes, spare, log);
  const models = served.map(
    (model) =>
      new OnDemandModel({
        model,
        memory,
        replicas: 1,
        mostWaiting: 100,
        mostWaitingBytes: 2 ** 28,
        log,
        open: (known) =>
          new ReplicaPool({
            model,
            known,
            takeSpare: () => spare.take(),
            entry,
            threads: 1,
            replicas: 1,
            balance: "least-work",
            maxBatchRows: 32,
            maxQueueRows: 1_024,
            maxQueueBytes: 2 ** 28,
            loadTimeoutMs: 60_000,
            pingMs: 5_000,
            runTimeoutMs: 60_000,
            log,
          }),
      }),
  );
  const switchMs: number[] = [];
  const warmMs: number[] = [];
  let usedMib = 0;
  for (let turn = 0; turn < 2 + switches; turn++) {
    const model = models[turn % 2] as OnDemandModel;
    const startedAtMs = performance.now();
    await model.run(request);
    const loadedAtMs = performance.now();
    await model.run(request);
    usedMib = Math.max(usedMib, memory.status().usedBytes / bytesPerMib);
    // Nobody knew them the first time.
    if (turn < 2) continue;
    switchMs.push(loadedAtMs - startedAtMs);
    warmMs.push(performance.now() - loadedAtMs);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  await Promise.all(models.map((model) => model.close()));
  await memory.close();
  return { switchMs: medianOf(switchMs), warmMs: medianOf(warmMs), usedMib };
}

const ofOne = estimatedBytes(recognition);
const { switchMs, warmMs, usedMib } = await measured(ofOne);
console.log(
  `a request for a model that is not in memory, while another leaves: ${switchMs.toFixed(0)} ms at p50,` +
    ` for one that is ${warmMs.toFixed(1)} ms; at most ${usedMib.toFixed(0)} MiB in use`,
);
