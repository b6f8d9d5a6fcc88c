/**
 * Finds out, before a model serves, whether requests may share its runs: made-up requests of several row counts run
 * alone and together, in more than one order, and their answers are compared. Bounded in time.
 */
import { seededRandom } from "../../base/random.ts";
import type { ModelMetadata } from "../../protocol/message.ts";
import { cutRows, joinRows, stackKey } from "../../protocol/stack.ts";
import type { Tensor } from "../../protocol/tensor.ts";
import { tensorDifference } from "../../protocol/tensor-difference.ts";
import { differenceOf, type JoinCheck, type RanRequest, sameInAllRows, togetherCheck } from "./join-check.ts";
import type { LoadProof } from "./joining.ts";
import { madeUpInputs, type RequestForm, requestForms } from "./made-up-request.ts";
import type { DimensionNames } from "./row-structure.ts";

export interface LoadProofOptions {
  readonly metadata: ModelMetadata;
  readonly dimensions: DimensionNames | undefined;
  /** Shapes of runs that are known to work; see `requestForms`. */
  readonly known: readonly Readonly<Record<string, readonly number[]>>[];
  /** N, when the batch is fixed at N rows. */
  readonly fixedRows?: number | undefined;
  readonly tolerance: number;
  /** Most rows of one run, an integer from 2. */
  readonly mostRows: number;
  /** Runs inputs, with the rows of each request. Rejects when the model fails on them. */
  readonly run: (inputs: readonly Tensor[], rows: readonly number[]) => Promise<readonly Tensor[]>;
  /** A clock in milliseconds. */
  readonly nowMs: () => number;
  /** Runs begin only when they should end within this time, in milliseconds from the call. */
  readonly withinMs: number;
}

/** Rows of the requests of a proof, the most telling first. */
const rowCounts = [
  [1, 2, 3],
  [1, 2],
  [1, 1],
] as const;
/** Most shapes that are proved at load. */
const mostShapes = 4;
const seed = 20_261_130;

/** Thrown by `run` when there will be no more runs: the model stays unproved. */
export class ProofStopped extends Error {}

/** What ends a proof: the model does not keep rows apart, or its runs take too long. */
class ProofEnd extends Error {
  readonly state: "disproved" | "unproved";

  constructor(state: ProofEnd["state"], reason: string) {
    super(reason);
    this.state = state;
  }
}

export function proveAtLoad(options: LoadProofOptions): Promise<LoadProof> {
  return new Proof(options).found();
}

class Proof {
  readonly #options: LoadProofOptions;
  readonly #random = seededRandom(seed);
  readonly #untilMs: number;
  readonly #keys = new Set<string>();
  #proofs = 0;
  #largestDifference = 0;
  /** Time of a row of the last run, in milliseconds. */
  #rowMs = 0;

  constructor(options: LoadProofOptions) {
    this.#options = options;
    this.#untilMs = options.nowMs() + options.withinMs;
  }

  async found(): Promise<LoadProof> {
    const { metadata, dimensions, known, fixedRows } = this.#options;
    let reason = "no made-up request suits the model";
    try {
      for (const form of requestForms(metadata, dimensions, known)) {
        const key = this.#keyOf(form);
        if (this.#keys.has(key) || this.#keys.size >= mostShapes) continue;
        const untold = await (
          fixedRows === undefined ? this.#inCompany(form) : this.#inOtherPlaces(form, fixedRows)
        ).catch((error: Error) => {
          if (error instanceof ProofEnd || error instanceof ProofStopped) throw error;
          reason = `made-up requests fail: ${error.message}`;
          return null;
        });
        if (typeof untold === "string")
          reason = `all answers to made-up requests have the same in output "${untold}"`;
        if (untold !== undefined) continue;
        this.#keys.add(key);
        // Without known shapes, one that works is enough.
        if (known.length === 0) break;
      }
    } catch (error) {
      if (!(error instanceof ProofEnd || error instanceof ProofStopped)) throw error;
      reason = error.message;
      if (error instanceof ProofEnd && error.state === "disproved") return this.#end("disproved", reason);
    }
    if (this.#keys.size === 0) return this.#end("unproved", reason);
    return this.#end("proved", `${this.#proofs} comparisons of made-up requests alone and in company agreed`);
  }

  #end(state: LoadProof["state"], reason: string): LoadProof {
    const [proofs, largestDifference] = [this.#proofs, this.#largestDifference];
    return { state, reason, proofs, largestDifference, shapes: this.#keys.size };
  }

  /** Requests of several row counts, alone and together. Resolves with an output in which a mix would not have shown. */
  async #inCompany(form: RequestForm): Promise<string | undefined> {
    const single = await this.#ran(this.#make(form, 1));
    // Once more, because a first run is slower than all others.
    const again = await this.#ran(single.inputs);
    const { difference, where } = tensorDifference(single.outputs, again.outputs);
    if (difference > this.#options.tolerance)
      throw new ProofEnd("disproved", `the same request gets different answers: ${where}`);
    await this.#compare(togetherCheck("", [single, again]));
    const requests = [single];
    for (const rows of this.#affordable().slice(1)) requests.push(await this.#ran(this.#make(form, rows)));
    for (const order of [requests, requests.toReversed()]) await this.#compare(togetherCheck("", order));
    const { mostRows } = this.#options;
    if (mostRows > 6 && this.#canAfford(2 * mostRows)) {
      const many = await this.#ran(this.#make(form, mostRows - 1));
      await this.#compare(togetherCheck("", [many, single]));
      requests.push(many);
    }
    return sameInAllRows(requests);
  }

  /** Every second row in another place among other rows: its outputs must move with it. */
  async #inOtherPlaces(form: RequestForm, fixedRows: number): Promise<string | undefined> {
    const whole = await this.#ran(this.#make(form, fixedRows));
    const ones = Array<number>(fixedRows).fill(1);
    const [rows, answers] = [cutRows(whole.inputs, ones), cutRows(whole.outputs, ones)];
    for (const [round, kept] of [0, 1, 0, 1].entries()) {
      if (!this.#canAfford(fixedRows)) {
        if (round < 2) throw tooSlow();
        break;
      }
      const fresh = cutRows(this.#make(form, fixedRows), ones);
      const moved = rows.map((_, place) => (place % 2 === kept ? rows.length - 1 - place : undefined));
      const inputs = joinRows(
        moved.map((from, place) => (from === undefined ? fresh[place] : rows[from]) ?? []),
      );
      const { outputs } = await this.#ran(inputs);
      const placed = cutRows(outputs, ones);
      const places = moved.flatMap((from, place) => (from === undefined ? [] : [{ from, place }]));
      const expected = joinRows(places.map(({ from }) => answers[from] ?? []));
      const check = { key: "", kind: "apart", inputs, rows: [places.length], isTelling: true } as const;
      this.#judge(
        { ...check, expected: [expected] },
        joinRows(places.map(({ place }) => placed[place] ?? [])),
      );
    }
    return sameInAllRows([whole]);
  }

  #make(form: RequestForm, rows: number): Tensor[] {
    return madeUpInputs(this.#options.metadata, form, rows, this.#random);
  }

  async #ran(inputs: readonly Tensor[]): Promise<RanRequest> {
    const rows = inputs[0]?.shape[0] ?? 1;
    const outputs = await this.#timed(inputs, [rows]);
    const stray = outputs.find(({ shape }) => shape[0] !== rows);
    if (stray === undefined) return { inputs, rows, outputs };
    throw new ProofEnd("disproved", `output "${stray.name}" has not the rows of its request`);
  }

  async #compare(check: JoinCheck): Promise<void> {
    const outputs = await this.#timed(check.inputs, check.rows).catch((error: Error) => {
      if (error instanceof ProofEnd || error instanceof ProofStopped) throw error;
      throw new ProofEnd("disproved", `requests that run alone fail together: ${error.message}`);
    });
    this.#judge(check, outputs);
  }

  #judge(check: JoinCheck, outputs: readonly Tensor[]): void {
    this.#proofs++;
    const { difference, where } = differenceOf(check, outputs);
    if (difference > this.#options.tolerance)
      throw new ProofEnd("disproved", `a request gets another answer in company than alone: ${where}`);
    this.#largestDifference = Math.max(this.#largestDifference, difference);
  }

  async #timed(inputs: readonly Tensor[], rows: readonly number[]): Promise<readonly Tensor[]> {
    const { nowMs, run } = this.#options;
    const startedAtMs = nowMs();
    if (startedAtMs > this.#untilMs) throw tooSlow();
    const outputs = await run(inputs, rows);
    this.#rowMs = (nowMs() - startedAtMs) / (inputs[0]?.shape[0] ?? 1);
    return outputs;
  }

  /** The row counts that the time and the largest run allow: each request runs alone, and all together twice. */
  #affordable(): readonly number[] {
    const found = rowCounts.find((counts) => {
      const sum = counts.reduce((total, each) => total + each, 0);
      return sum <= this.#options.mostRows && this.#canAfford(3 * sum);
    });
    if (found === undefined) throw tooSlow();
    return found;
  }

  #canAfford(rows: number): boolean {
    return this.#options.nowMs() + rows * this.#rowMs <= this.#untilMs;
  }

  #keyOf({ shapes }: RequestForm): string {
    const inputs = this.#options.metadata.inputs.map(({ name, datatype }) => {
      return { name, datatype, shape: [1, ...(shapes.get(name) ?? [])], data: new Uint8Array() };
    });
    return stackKey({ parameters: {}, inputs });
  }
}

function tooSlow(): ProofEnd {
  return new ProofEnd("unproved", "the model takes too long to prove it when it is loaded");
}
