/**
 * What is known of one model: whether rows of several requests may run together. It is said in the settings, spoken
 * against by the tensors, or proved by comparing requests alone and in company; every proof is counted in a budget.
 */
import { Lru } from "../../base/memory/lru.ts";
import { differenceOf, type JoinCheck, type RanRequest, strayRows } from "./join-check.ts";
import { JoinSamples } from "./join-samples.ts";
import { ProofBudget } from "./proof-budget.ts";
import type { RowStructure } from "./row-structure.ts";
import type { Tensor } from "../../protocol/tensor.ts";

/**
 * `declared` and `off`: the settings say `joinRows: true` or `false`. `obstacle`: the tensors speak against it.
 * `unproved`: not known yet, so requests run singly. `disproved`: a comparison differed, for good.
 */
export type JoinState = "declared" | "off" | "obstacle" | "unproved" | "proved" | "disproved";

export interface JoiningOptions {
  readonly structure: RowStructure;
  /** What the settings say, if they do. */
  readonly joinRows?: boolean | undefined;
  /** Largest difference that is taken for rounding, as a part of the output's largest magnitude. */
  readonly tolerance: number;
  /** Most rows that are joined, an integer from 1. */
  readonly mostRows: number;
  /** Called when the state changes after the model was loaded, with the reason. */
  readonly onChange: (state: JoinState, reason: string) => void;
}

/** How a check's run ended. `void`: it says nothing, such as when the request itself failed. */
export type CheckEnd =
  | { readonly kind: "answered"; readonly outputs: readonly Tensor[] }
  | { readonly kind: "failed"; readonly why: string }
  | { readonly kind: "died"; readonly why: string }
  | { readonly kind: "void" };

export interface JoiningStatus {
  readonly state: JoinState;
  readonly reason?: string | undefined;
  /** Whether requests may share runs now. */
  readonly joinsRows: boolean;
  /** Most rows of a run that they share. */
  readonly mostRows: number;
  /** Comparisons that were made, at load and while serving. */
  readonly proofs: number;
  /** Largest difference so far that was taken for rounding. */
  readonly largestDifference: number;
  readonly tolerance: number;
  /** Time that proofs took before the model was ready. */
  readonly loadProofMs: number;
  /** Time that replicas spent on proofs since then, and on requests. */
  readonly proofMs: number;
  readonly busyMs: number;
}

/** After this many proved shapes, others are trusted while the budget is used up. */
const severalShapes = 3;
/** This many telling comparisons prove a model that was not proved when it was loaded. */
const tellingChecks = 2;
/** A model whose checks end a replica this often is not joined. */
const mostDeaths = 2;
/** Most shapes that are remembered as proved. */
const mostShapes = 1_024;

export class Joining {
  readonly #options: JoiningOptions;
  readonly #budget = new ProofBudget();
  readonly #samples = new JoinSamples();
  readonly #proved = new Lru<string, true>(mostShapes);
  #provedShapes = 0;
  #state: JoinState;
  #reason: string | undefined;
  #proofs = 0;
  #telling = 0;
  #deaths = 0;
  #largestDifference = 0;
  #loadProofMs = 0;
  #isChecking = false;

  constructor(options: JoiningOptions) {
    this.#options = options;
    const { joinRows, structure } = options;
    if (joinRows === false) this.#state = "off";
    else if (structure.isImpossible === true) this.#state = "obstacle";
    else if (joinRows === true) this.#state = "declared";
    else
      this.#state = structure.obstacle === undefined && structure.fixedRows !== 1 ? "unproved" : "obstacle";
    if (this.#state === "off") this.#reason = 'the settings say "joinRows: false"';
    else if (this.#state === "declared") this.#reason = 'the settings say "joinRows: true"';
    else if (structure.fixedRows === 1) this.#reason = "the batch is fixed at 1 row";
    else this.#reason = structure.obstacle;
  }

  get state(): JoinState {
    return this.#state;
  }

  get reason(): string | undefined {
    return this.#reason;
  }

  get tolerance(): number {
    return this.#options.tolerance;
  }

  /** Most rows of one run of several requests, whatever their key. */
  get mostRows(): number {
    const { mostRows, structure } = this.#options;
    return Math.min(mostRows, structure.fixedRows ?? Infinity);
  }

  /** Whether requests with the same key may share a run, once their key is proved. */
  get joinsRows(): boolean {
    return (this.#state === "declared" || this.#state === "proved") && this.mostRows > 1;
  }

  /** Whether keys are proved one by one. */
  get isByKey(): boolean {
    return this.joinsRows && this.#state === "proved";
  }

  /** Whether the rows of one request may run apart, so that a batch fixed at N can be cut and padded. */
  get hasSeparateRows(): boolean {
    if (this.#state === "declared" || this.#state === "proved") return true;
    return this.#state === "obstacle" && this.#options.structure.fixedRows === 1;
  }

  /** Whether the settings say that rows are not to be joined. */
  get isOff(): boolean {
    return this.#state === "off";
  }

  /** Most rows of one run of requests with that key; 1 when each runs alone. */
  mostRowsOf(key: string): number {
    return this.joinsRows && this.#isTrusted(key) ? this.mostRows : 1;
  }

  /** Whether requests with that key share runs, where keys are proved one by one; else undefined. */
  saidOf(key: string | undefined): boolean | undefined {
    if (this.#state === "disproved") return false;
    return this.isByKey ? key !== undefined && this.mostRowsOf(key) > 1 : undefined;
  }

  /** What was found before the model was ready, in `ms`. */
  proofAtLoad(found: LoadProof, ms: number): void {
    this.#loadProofMs = ms;
    this.#proofs += found.proofs;
    this.#largestDifference = found.largestDifference;
    this.#reason = found.reason;
    if (this.#state === "unproved") this.#state = found.state;
    // Requests of these shapes are still compared before they share a run: theirs is the data that counts.
    this.#provedShapes = found.shapes;
  }

  /**
   * A run has answered these requests.
   * @param key undefined when they have no rows in common with others
   */
  ran(key: string | undefined, requests: readonly RanRequest[], ms: number): void {
    this.#budget.busy(ms);
    if (key === undefined || !this.isInQuestion || this.mostRows < 2) return;
    const [only, second] = requests;
    if (only === undefined) return;
    if (second !== undefined) this.#samples.ranTogether(key, requests);
    else this.#ranAlone(key, only);
  }

  #ranAlone(key: string, request: RanRequest): void {
    const stray = strayRows(request);
    if (stray !== undefined) this.mixed(stray);
    else if (!this.#isTrusted(key) || this.#state === "unproved")
      this.#samples.ranApart(key, request, this.mostRows, this.#state === "proved");
    else if (request.rows > 1) this.#samples.ranTogether(key, [request]);
  }

  /**
   * The check that a free replica should run now; undefined for none. Call `checked` with its end.
   * @param isIdle whether no request waits
   * @param isWanted whether requests of a key wait
   */
  nextCheck(isIdle: boolean, isWanted: (key: string) => boolean): JoinCheck | undefined {
    if (this.#isChecking || !this.isInQuestion || !this.#budget.hasSome) return undefined;
    const check =
      this.#samples.nextTogether(this.mostRows, (key) => isIdle || isWanted(key)) ??
      (isIdle && this.#budget.hasPlenty ? this.#samples.nextApart() : undefined);
    this.#isChecking = check !== undefined;
    return check;
  }

  checked(check: JoinCheck, end: CheckEnd, ms: number): void {
    this.#isChecking = false;
    this.#budget.spend(ms);
    if (!this.isInQuestion || end.kind === "void") return;
    if (end.kind === "died") {
      if (++this.#deaths >= mostDeaths) this.mixed(`replicas died of comparisons: ${end.why}`);
      return;
    }
    if (end.kind === "failed") {
      // A request that fails alone, after it was answered in company, may have failed for any reason.
      if (check.kind === "together") this.mixed(`requests that run alone fail together: ${end.why}`);
      return;
    }
    this.#proofs++;
    const { difference, where } = differenceOf(check, end.outputs);
    if (difference > this.tolerance) {
      this.mixed(`a request gets another answer in company than alone: ${where}`);
      return;
    }
    this.#largestDifference = Math.max(this.#largestDifference, difference);
    if (check.kind === "together") this.#agreed(check);
  }

  /** Rows do not stay apart: requests run singly from now on. */
  mixed(why: string): void {
    if (this.#state === "off" || this.#state === "obstacle" || this.#state === "disproved") return;
    this.#become("disproved", why);
    this.#samples.clear();
  }

  status(): JoiningStatus {
    return {
      state: this.#state,
      reason: this.#reason,
      joinsRows: this.joinsRows,
      mostRows: this.mostRows,
      proofs: this.#proofs,
      largestDifference: this.#largestDifference,
      tolerance: this.tolerance,
      loadProofMs: this.#loadProofMs,
      proofMs: this.#budget.spentMs,
      busyMs: this.#budget.busyMs,
    };
  }

  /** Whether what runs give may change what is known. */
  get isInQuestion(): boolean {
    return this.#state === "unproved" || this.#state === "proved";
  }

  #isTrusted(key: string): boolean {
    if (this.#state === "declared" || this.#proved.get(key) === true) return true;
    return this.#provedShapes >= severalShapes && !this.#budget.hasSome;
  }

  #agreed({ key, isTelling }: JoinCheck): void {
    if (this.#state === "proved") this.#learnShape(key);
    if (this.#state !== "unproved" || !isTelling || ++this.#telling < tellingChecks) return;
    this.#learnShape(key);
    this.#become("proved", `${this.#telling} comparisons of requests alone and in company agreed`);
  }

  #learnShape(key: string): void {
    if (this.#proved.get(key) === undefined) this.#provedShapes++;
    this.#proved.set(key, true);
  }

  #become(state: JoinState, reason: string): void {
    this.#state = state;
    this.#reason = reason;
    this.#options.onChange(state, reason);
  }
}

/** What comparisons with made-up requests have shown. */
export interface LoadProof {
  readonly state: "unproved" | "proved" | "disproved";
  readonly reason: string;
  readonly proofs: number;
  readonly largestDifference: number;
  /** How many shapes of requests were proved. */
  readonly shapes: number;
}
