/** The service times of one model at an edge, by rows, as measured and as learned since. */
import { ServiceModel } from "../../../algorithms/latency/service-model.ts";
import type { ExpectedService } from "../../targets/learned-edge.ts";
import type { TargetProfile } from "../target-profile.ts";

/** Points of a measured distribution that the model starts with; a power of two. */
const seeds = 128;

/** The 0.95 quantile of the standard normal distribution, which turns a quantile into a deviation. */
const deviations95 = 1.645;

/** In van der Corput order: the points that remain are evenly spread however many were forgotten. */
const seedQuantiles = Array.from({ length: seeds }, (_, index) => {
  let reversed = 0;
  for (let bit = 1; bit < seeds; bit *= 2) reversed = 2 * reversed + ((index & bit) === 0 ? 0 : 1);
  return (reversed + 0.5) / seeds;
});

export function serviceModel(profile: TargetProfile): ServiceModel {
  const tables = seedQuantiles.map((quantile) => profile.serviceMs(quantile));
  return new ServiceModel({
    isAssumed: profile.isAssumed ?? false,
    measured: Array.from({ length: profile.maxBatchRows }, (_, index) =>
      tables.map((table) => table[index + 1] as number),
    ),
  });
}

export class LearnedService implements ExpectedService {
  readonly #service: ServiceModel;
  meanMs: Float64Array = new Float64Array();
  variance: Float64Array = new Float64Array();

  constructor(profile: TargetProfile) {
    this.#service = serviceModel(profile);
    this.#read();
  }

  get slowness(): number {
    return this.#service.slowness;
  }

  /** Whether too little is known of it to say that it is too slow. */
  get isGuess(): boolean {
    return this.#service.isGuess;
  }

  /** @returns true when batches were found to take longer or shorter for good */
  observe(rows: number, serviceMs: number): boolean {
    const { version } = this.#service;
    const hasDrifted = this.#service.observe(rows, serviceMs);
    if (this.#service.version !== version) this.#read();
    return hasDrifted;
  }

  #read(): void {
    const meanMs = this.#service.meanTable();
    const highMs = this.#service.table(0.95);
    this.meanMs = meanMs;
    this.variance = meanMs.map(
      (ms, rows) => (Math.max(0, (highMs[rows] as number) - ms) / deviations95) ** 2,
    );
  }
}
