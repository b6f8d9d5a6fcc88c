/**
 * The worked example of HarmonyBatch (IWQoS 2024, table I): its applications, functions and prices, read from the
 * published figures where they lie beside the repository.
 */
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { callCost, type CuPriceSheet } from "../../serverless/prices/price.ts";
import type { Application } from "../../replay/peers/harmonybatch/applications.ts";
import type { FunctionOption } from "../../algorithms/plan/function-option.ts";

const published = resolve(import.meta.dirname, "../../../shared/data/profiles/harmonybatch");
export const isPublishedHere = existsSync(published);

type Exponential = readonly [number, number, number];
interface Vgg19 {
  readonly CPU: Readonly<Record<"avg" | "max", { readonly Exponential: readonly Exponential[] }>>;
  readonly GPU: {
    readonly A10: { readonly l1: number; readonly l2: number; readonly t: number; readonly G: number };
  };
}

export interface WorkedExample {
  readonly apps: readonly { readonly name: string; readonly slo_s: number; readonly rps: number }[];
  readonly plans: Readonly<Record<"BATCH" | "HarmonyBatch", { readonly norm_cost: number }>>;
  readonly prices_usd: { readonly vcpu_s: number; readonly gpu_gb_s: number; readonly invocation: number };
}

function exponential([a, b, c]: Exponential, vcpu: number): number {
  return a * Math.exp(-vcpu / b) + c;
}

function read(name: string): unknown {
  return JSON.parse(readFileSync(resolve(published, name), "utf8"));
}

/** Latencies in seconds by vCPU and by GPU slice, as HarmonyBatch fits them. */
function vggLatencies(vgg: Vgg19) {
  const { l1, l2, t, G } = vgg.GPU.A10;
  return {
    cpu: (kind: "avg" | "max", rows: number, vcpu: number): number =>
      exponential(vgg.CPU[kind].Exponential[rows - 1] as Exponential, vcpu),
    gpuAverage: (rows: number, gib: number): number => (G / gib) * (l1 * rows + l2),
    // Their code adds a fifth to what their paper has, but on a whole card.
    gpuMax: (rows: number, gib: number): number =>
      (Math.ceil((l1 * rows + l2) / (gib * t)) * (G - gib) * t + l1 * rows + l2) * (gib === G ? 1 : 1.2),
  };
}

/** 320 CPU sizes and 24 slices of a GPU; with each GiB of it comes a third of a vCPU, as in HarmonyBatch's code. */
function vggFunctions(vgg: Vgg19, sheet: CuPriceSheet): FunctionOption[] {
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
    const size = { vcpu: gib / 3, memoryMib: 0, gpu: { card: "a10", memoryGib: gib } };
    const average = (rows: number): number => latency.gpuAverage(rows, gib);
    return option(`gpu-${gib}`, 32, average, (rows) => latency.gpuMax(rows, gib), size);
  });
  return [...cpu, ...gpu];
}

/** @param gpuGranularityMs GPU time is billed by that; HarmonyBatch's code bills whole seconds */
export function publishedExample(gpuGranularityMs: number) {
  const { VGG19: vgg } = read("model_vgg19.json") as { readonly VGG19: Vgg19 };
  const example = read("table1_worked_example.json") as WorkedExample;
  const { vcpu_s, gpu_gb_s, invocation } = example.prices_usd;
  const applications = example.apps.map(({ name, slo_s, rps }): Application => {
    return { name, sloMs: slo_s * 1000, arrivalsPerMs: rps / 1000 };
  });
  // BATCH's published plans, with full batches: App1 1.55 vCPU alone, App2 and App3 1.5 vCPU by twos.
  const latency = vggLatencies(vgg);
  const batchCostPerS =
    5 * (latency.cpu("avg", 1, 1.55) * 1.55 * vcpu_s + invocation) +
    (30 / 2) * (latency.cpu("avg", 2, 1.5) * 1.5 * vcpu_s + invocation);
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
  return { applications, functions: vggFunctions(vgg, sheet), plans: example.plans, batchCostPerS };
}
