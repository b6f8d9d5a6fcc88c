import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { callCost, type CuPriceSheet } from "../price.ts";
import { batchSizeTails } from "./batch-size-law.ts";
import { cheapestCap } from "./expected-cost.ts";
import type { FunctionOption } from "./function-option.ts";
import { type Application, planGroups } from "./group-plan.ts";

const published = resolve(import.meta.dirname, "../../../shared/data/profiles/harmonybatch");
const isPublishedHere = existsSync(published);

type Exponential = readonly [number, number, number];
interface Vgg19 {
  readonly CPU: Readonly<Record<"avg" | "max", { readonly Exponential: readonly Exponential[] }>>;
  readonly GPU: {
    readonly A10: { readonly l1: number; readonly l2: number; readonly t: number; readonly G: number };
  };
}

interface WorkedExample {
  readonly apps: readonly { readonly name: string; readonly slo_s: number; readonly rps: number }[];
  readonly plans: Readonly<Record<"BATCH" | "HarmonyBatch", { readonly norm_cost: number }>>;
  readonly prices_usd: { readonly vcpu_s: number; readonly gpu_gb_s: number; readonly invocation: number };
}

/** Latencies in seconds by vCPU and by GPU slice, as HarmonyBatch fits them. */
function vggLatencies(vgg: Vgg19) {
  const { l1, l2, t, G } = vgg.GPU.A10;
  const exponential = ([a, b, c]: Exponential, vcpu: number): number => a * Math.exp(-vcpu / b) + c;
  return {
    cpu: (kind: "avg" | "max", rows: number, vcpu: number): number =>
      exponential(vgg.CPU[kind].Exponential[rows - 1] as Exponential, vcpu),
    gpuAverage: (rows: number, gib: number): number => (G / gib) * (l1 * rows + l2),
    // Their code adds a fifth to what their paper has, but on a whole card.
    gpuMax: (rows: number, gib: number): number =>
      (Math.ceil((l1 * rows + l2) / (gib * t)) * (G - gib) * t + l1 * rows + l2) * (gib === G ? 1 : 1.2),
  };
}

function vggFunctions(vgg: Vgg19, sheet: CuPriceSheet, gpuVcpu: (gib: number) => number): FunctionOption[] {
  const latency = vggLatencies(vgg);
  const option = (
    name: string,
    maxRows: number,
    averageS: (rows: number) => number,
    maxS: (rows: number) => number,
    size: Parameters<typeof callCost>[1],
  ): FunctionOption => {
    const table = (of: (rows: number) => number): Float64Array =>
      Float64Array.from({ length: maxRows + 1 }, (_, rows) => (rows === 0 ? 0 : of(rows)));
    return {
      name,
      latencyMs: table((rows) => maxS(rows) * 1000),
      serviceMs: table((rows) => averageS(rows) * 1000),
      cost: table((rows) => callCost(sheet, size, averageS(rows) * 1000).cost),
    };
  };
  const cpu = Array.from({ length: 320 }, (_, i) => {
    const vcpu = (i + 1) * 0.05;
    const of = (kind: "avg" | "max") => (rows: number) => latency.cpu(kind, rows, vcpu);
    return option(`cpu-${vcpu.toFixed(2)}`, 4, of("avg"), of("max"), { vcpu, memoryMib: 0 });
  });
  const gpu = Array.from({ length: 24 }, (_, i) => {
    const gib = i + 1;
    const size = { vcpu: gpuVcpu(gib), memoryMib: 0, gpu: { card: "a10", memoryGib: gib } };
    const average = (rows: number): number => latency.gpuAverage(rows, gib);
    return option(`gpu-${gib}`, 32, average, (rows) => latency.gpuMax(rows, gib), size);
  });
  return [...cpu, ...gpu];
}

it.skipIf(!isPublishedHere)(
  "serves the published VGG-19 example for no more than HarmonyBatch does, within each SLO (skips without ../shared)",
  () => {
    const read = (name: string): unknown => JSON.parse(readFileSync(resolve(published, name), "utf8"));
    const { VGG19: vgg } = read("model_vgg19.json") as { readonly VGG19: Vgg19 };
    const example = read("table1_worked_example.json") as WorkedExample;
    const { vcpu_s, gpu_gb_s, invocation } = example.prices_usd;
    const applications = example.apps.map(({ name, slo_s, rps }) => ({
      name,
      sloMs: slo_s * 1000,
      arrivalsPerMs: rps / 1000,
    }));
    // BATCH's published plans, with full batches: App1 1.55 vCPU alone, App2 and App3 1.5 vCPU by twos.
    const latency = vggLatencies(vgg);
    const batchCost =
      5 * (latency.cpu("avg", 1, 1.55) * 1.55 * vcpu_s + invocation) +
      (30 / 2) * (latency.cpu("avg", 2, 1.5) * 1.5 * vcpu_s + invocation);
    // As HarmonyBatch's code bills: GPU time by the whole second, and a third of a vCPU with each GiB.
    for (const gpuGranularityMs of [1_000, 1]) {
      const sheet: CuPriceSheet = {
        name: "harmonybatch",
        kind: "cu",
        currency: "USD",
        validFrom: "2023-11-01",
        source: "IWQoS 2024",
        perCu: 1,
        cuPerCall: invocation,
        cuPerVcpuS: vcpu_s,
        cuPerGibS: 0,
        cuPerGpuGibS: { a10: gpu_gb_s },
        granularityMs: { cpu: 1, gpu: gpuGranularityMs },
      };
      const functions = vggFunctions(vgg, sheet, (gib) => gib / 3);
      const plan = planGroups(applications, functions);
      if (plan.kind !== "feasible") throw new Error(plan.message);
      expect(plan.costPerS / batchCost).toBeLessThanOrEqual(example.plans.HarmonyBatch.norm_cost);
      for (const group of plan.groups) {
        const reservedMs = functions[group.index]?.latencyMs[group.maxRows] ?? Infinity;
        group.applications.forEach((name, i) => {
          const { sloMs } = applications.find((each) => each.name === name) as Application;
          expect((group.waitMs[i] as number) + reservedMs).toBeLessThanOrEqual(sloMs + 1e-9);
          expect(group.waitMs[i]).toBeGreaterThanOrEqual(0);
        });
      }
    }
  },
);

const anyApplications = fc.array(
  fc.record({
    arrivalsPerMs: fc.double({ min: 0.001, max: 0.05, noNaN: true }),
    sloMs: fc.integer({ min: 120, max: 1_000 }),
  }),
  { minLength: 1, maxLength: 4 },
);
const twoFunctions: FunctionOption[] = [
  { fixedMs: 20, perRowMs: 25, call: 1, perMs: 0.02 },
  { fixedMs: 60, perRowMs: 4, call: 1, perMs: 0.05 },
].map(({ fixedMs, perRowMs, call, perMs }, i) => {
  const serviceMs = Float64Array.from({ length: 13 }, (_, rows) => fixedMs + perRowMs * rows);
  return {
    name: String(i),
    latencyMs: serviceMs.map((ms) => ms + 10),
    serviceMs,
    cost: serviceMs.map((ms) => call + perMs * ms),
  };
});

it("finds the cheapest of all partitions into neighbours by SLO", () => {
  fc.assert(
    fc.property(anyApplications, (applications) => {
      const named = applications
        .map((each, i) => ({ ...each, name: `app${i}` }))
        .sort((a, b) => a.sloMs - b.sloMs);
      let least = Infinity;
      // Each bit of `cuts` says whether a group ends after that application.
      for (let cuts = 0; cuts < 2 ** (named.length - 1); cuts++) {
        let total = 0;
        let group: Application[] = [];
        named.forEach((application, i) => {
          group.push(application);
          if (i < named.length - 1 && (cuts & (1 << i)) === 0) return;
          const ratePerS = 1000 * group.reduce((sum, { arrivalsPerMs }) => sum + arrivalsPerMs, 0);
          const costs = twoFunctions.map(
            (option) =>
              cheapestCap(batchSizeTails(group, option.latencyMs), option)?.costPerRequest ?? Infinity,
          );
          total += ratePerS * Math.min(...costs);
          group = [];
        });
        least = Math.min(least, total);
      }
      const plan = planGroups(named, twoFunctions);
      expect(plan.kind === "feasible" ? plan.costPerS : Infinity).toBeCloseTo(least, 9);
    }),
    { numRuns: 60 },
  );
});

it("says which application no function can serve in time", () => {
  const plan = planGroups([{ name: "hasty", arrivalsPerMs: 0.01, sloMs: 40 }], twoFunctions);
  expect(plan).toMatchObject({ kind: "infeasible", application: "hasty" });
});
