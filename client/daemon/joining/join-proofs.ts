/**
 * Proofs that the rows of several requests may be joined, for models of which no server says it: two requests that were
 * answered alone are sent once more as one, in both orders, and each must get the answer that it got alone. Proofs are
 * made at edges, in the background, for each shape, and within a budget. A difference ends joining for the model.
 */
import { Lru } from "../../../base/memory/lru.ts";
import { SpillwayError } from "../../../base/errors.ts";
import { ProtocolError } from "../../../protocol/errors.ts";
import type { InferRequest, InferResponse } from "../../../protocol/message.ts";
import { cutRows, rowsOf, splitResponse, stackRequests } from "../../../protocol/stack.ts";
import { shapeText, type Tensor } from "../../../protocol/tensor.ts";
import { tensorDifference } from "../../../protocol/tensor-difference.ts";

/** Proofs of one model in an hour, whatever its shapes. */
const mostAnHour = 20;
const hourMs = 3_600_000;
/** A model that is proved for so many shapes is trusted for others once its budget is used up. */
const shapesForTrust = 3;
/** A shape counts as proved by one proof whose answers tell the requests apart, or by so many that do not. */
const proofsWithoutContrast = 3;
/**
 * What a request gets of its company is a part of how their answers differ. So a difference proves nothing unless it is so
 * many times smaller, or is none but for the last bits.
 */
const contrastOverDifference = 10;
const lastBits = 1e-5;
/** A shape that is proved is proved again after this time. */
const proveAgainMs = 600_000;
/** A model whose joined calls failed so often while each request was answered alone is not joined. */
const mostFailures = 3;
/** Relative difference of two answers that counts as none: quantised models differ by 0.001 in company. */
const tolerance = 0.005;
/** Bounds of what is kept: models, shapes of each, and bytes of a request with its answer. */
const mostModels = 256;
const mostShapes = 64;
const mostSampleBytes = 2 ** 20;
const mostSamples = 32;

export interface JoinProofsOptions {
  /** Makes a call of an edge; rejects with any error. */
  readonly call: (edge: number, model: string, request: InferRequest) => Promise<InferResponse>;
  readonly nowMs: () => number;
  /** Told once that a proof is over; `why` says what differed. */
  readonly onProof: (model: string, proof: ProofEnd) => void;
}

export interface ProofEnd {
  readonly result: "agreed" | "differed" | "failed";
  /** The difference, or the failure; how far the answers differ where they agree. */
  readonly why: string;
  readonly tookMs: number;
}

/** A request that was answered alone. */
export interface AloneAnswer {
  readonly request: InferRequest;
  readonly answer: InferResponse;
}

interface ModelProofs {
  readonly shapes: Map<string, ShapeProofs>;
  /** When proofs were made within the last hour. */
  readonly madeAtMs: number[];
  isRunning: boolean;
  failures: number;
  /** Why its rows may not be joined; undefined while nothing speaks against it. */
  against: string | undefined;
}

interface ShapeProofs {
  /** How much speaks for it: `proofsWithoutContrast` or more is enough. */
  weight: number;
  provedAtMs: number;
  sample: AloneAnswer | undefined;
}

export class JoinProofs {
  readonly #options: JoinProofsOptions;
  readonly #models = new Lru<string, ModelProofs>(mostModels);
  /** Shapes that hold a sample, the oldest first. */
  readonly #sampled = new Set<ShapeProofs>();

  constructor(options: JoinProofsOptions) {
    this.#options = options;
  }

  /** Whether requests of that shape may be joined by what was proved. */
  mayJoin(model: string, shape: string): boolean {
    const known = this.#models.get(model);
    if (known === undefined || known.against !== undefined) return false;
    if (isProved(known.shapes.get(shape))) return true;
    return provedShapes(known) >= shapesForTrust && this.#leftOf(known) === 0;
  }

  /** Why the rows of a model may not be joined; undefined when no proof speaks against it. */
  whyNot(model: string): string | undefined {
    return this.#models.get(model)?.against;
  }

  /** How many shapes are proved, and how many proofs may still be made in this hour. */
  countsOf(model: string): { readonly provedShapes: number; readonly proofsLeft: number } {
    const known = this.#models.get(model);
    if (known === undefined) return { provedShapes: 0, proofsLeft: mostAnHour };
    return { provedShapes: provedShapes(known), proofsLeft: this.#leftOf(known) };
  }

  /** Ends joining for a model. */
  refuse(model: string, why: string): void {
    this.#of(model).against = why;
  }

  /** The model is another one now. */
  forget(model: string): void {
    if (this.#models.get(model) !== undefined) this.#models.set(model, noProofs());
  }

  /**
   * A request was answered alone. With another one of its shape it makes a proof.
   *
   * @param edges where joined calls are to be tried, at least one
   */
  answered(model: string, shape: string, alone: AloneAnswer, edges: readonly number[]): void {
    const known = this.#of(model);
    known.against ??= withoutRows(alone);
    if (known.against !== undefined || known.isRunning || this.#leftOf(known) === 0) return;
    const proofs = shapeOf(known, shape);
    if (isProved(proofs) && this.#options.nowMs() - proofs.provedAtMs < proveAgainMs) return;
    const { sample } = proofs;
    if (sample === undefined) this.#keep(proofs, alone);
    // Equal requests tell nothing: a mean over two equal rows is that row.
    else if (differenceAtFirst(sample.request.inputs, alone.request.inputs) > 0) {
      this.#drop(proofs);
      known.isRunning = true;
      known.madeAtMs.push(this.#options.nowMs());
      void this.#prove(model, known, proofs, [sample, alone], edges);
    }
  }

  async #prove(
    model: string,
    known: ModelProofs,
    proofs: ShapeProofs,
    pair: readonly [AloneAnswer, AloneAnswer],
    edges: readonly number[],
  ): Promise<void> {
    const { nowMs, onProof } = this.#options;
    const startedAtMs = nowMs();
    const end = await this.#compared(model, pair, edges);
    known.isRunning = false;
    const tookMs = nowMs() - startedAtMs;
    if (end.result === "agreed") {
      const contrast = differenceAtFirst(pair[0].answer.outputs, pair[1].answer.outputs);
      proofs.weight += weightOf(end.difference ?? 0, contrast);
      proofs.provedAtMs = nowMs();
    } else if (end.result === "differed") {
      known.against ??= end.why;
    } else if (end.isAboutRows && ++known.failures >= mostFailures) {
      known.against ??= `joined requests fail: ${end.why}`;
      onProof(model, { result: "differed", why: known.against, tookMs });
      return;
    }
    onProof(model, { result: end.result, why: end.why, tookMs });
  }

  /** Both orders at every edge. Never rejects. */
  async #compared(
    model: string,
    [one, other]: readonly [AloneAnswer, AloneAnswer],
    edges: readonly number[],
  ): Promise<Omit<ProofEnd, "tookMs"> & { readonly isAboutRows?: boolean; readonly difference?: number }> {
    let most = 0;
    try {
      for (const edge of edges) {
        for (const pair of [
          [one, other],
          [other, one],
        ]) {
          const requests = pair.map(({ request }) => request);
          const joined = await this.#options.call(edge, model, stackRequests(requests));
          const parts = splitResponse(joined, requests.map(rowsOf), [undefined, undefined]);
          for (const [index, { answer }] of pair.entries()) {
            const found = tensorDifference(answer.outputs, parts[index]?.outputs ?? []);
            if (found.difference > tolerance) return { result: "differed", why: `${found.where} in company` };
            most = Math.max(most, found.difference);
          }
        }
      }
      const why = `the largest difference in company is ${most.toPrecision(2)}`;
      return { result: "agreed", why, difference: most };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      // Of the call's answer: its outputs do not have the rows of both.
      if (error instanceof ProtocolError) return { result: "differed", why };
      const isAboutRows =
        error instanceof SpillwayError && (error.status === 400 || error.code === "target_fault");
      return { result: "failed", why, isAboutRows };
    }
  }

  #of(model: string): ModelProofs {
    let known = this.#models.get(model);
    if (known === undefined) this.#models.set(model, (known = noProofs()));
    return known;
  }

  #leftOf({ madeAtMs }: ModelProofs): number {
    const sinceMs = this.#options.nowMs() - hourMs;
    while (madeAtMs.length > 0 && (madeAtMs[0] as number) < sinceMs) madeAtMs.shift();
    return mostAnHour - madeAtMs.length;
  }

  #keep(proofs: ShapeProofs, alone: AloneAnswer): void {
    const tensors = [...alone.request.inputs, ...alone.answer.outputs];
    if (tensors.reduce((sum, { data }) => sum + data.length, 0) > mostSampleBytes) return;
    proofs.sample = { request: copied(alone.request), answer: alone.answer };
    this.#sampled.add(proofs);
    const [oldest] = this.#sampled;
    if (this.#sampled.size > mostSamples && oldest !== undefined) this.#drop(oldest);
  }

  #drop(proofs: ShapeProofs): void {
    proofs.sample = undefined;
    this.#sampled.delete(proofs);
  }
}

function noProofs(): ModelProofs {
  return { shapes: new Map(), madeAtMs: [], isRunning: false, failures: 0, against: undefined };
}

/** Of the bounded number of shapes; a new one takes the place of the oldest that is not proved, else of the oldest. */
function shapeOf({ shapes }: ModelProofs, shape: string): ShapeProofs {
  let proofs = shapes.get(shape);
  if (proofs !== undefined) return proofs;
  if (shapes.size >= mostShapes) {
    const oldest = [...shapes].find(([, each]) => !isProved(each)) ?? [...shapes][0];
    shapes.delete(oldest?.[0] ?? "");
  }
  proofs = { weight: 0, provedAtMs: -Infinity, sample: undefined };
  shapes.set(shape, proofs);
  return proofs;
}

function isProved(proofs: ShapeProofs | undefined): boolean {
  return (proofs?.weight ?? 0) >= proofsWithoutContrast;
}

function provedShapes({ shapes }: ModelProofs): number {
  return [...shapes.values()].filter(isProved).length;
}

/** Why an answer cannot be a part of a joined one, whatever it holds; undefined when it can. */
function withoutRows({ request, answer }: AloneAnswer): string | undefined {
  const rows = rowsOf(request);
  const other = answer.outputs.find(({ shape }) => shape[0] !== rows);
  if (other === undefined) return undefined;
  return `output ${other.name} is ${shapeText(other.shape)} for ${rows} rows`;
}

/** How much a proof that agreed speaks for a shape. */
function weightOf(difference: number, contrast: number): number {
  if (difference > lastBits && difference * contrastOverDifference > contrast) return 0;
  return contrast > tolerance ? proofsWithoutContrast : 1;
}

/**
 * How far the first rows of answers differ, in the output where they differ least: one that never changes would show no
 * mix. The other rows may be repetitions.
 */
function differenceAtFirst(one: readonly Tensor[], other: readonly Tensor[]): number {
  const [first = [], second = []] = [one, other].map((tensors) => {
    const rows = tensors[0]?.shape[0] ?? 1;
    return cutRows(tensors, rows > 1 ? [1, rows - 1] : [1])[0] ?? [];
  });
  return Math.min(...first.map((tensor) => tensorDifference([tensor], second).difference));
}

/** Without the body that the data is a part of. */
function copied(request: InferRequest): InferRequest {
  const inputs = request.inputs.map(({ data, ...tensor }) => Object.assign(tensor, { data: data.slice() }));
  return { ...request, inputs };
}
