/**
 * What the queue knows of each model: whether the rows of several requests may be joined, and to how many. It is said by
 * the user, by the edges, which are asked again every few seconds while a model is used, or proved. What is not known
 * is not joined. A batch that came back wrong overrules everything.
 */
import { Lru } from "../../../base/memory/lru.ts";
import type { InferRequest, InferResponse } from "../../../protocol/message.ts";
import { commonRows, stackKey } from "../../../protocol/stack.ts";
import type { ModelDirectory } from "../model-directory.ts";
import { JoinProofs, type JoinProofsOptions, type ProofEnd } from "./join-proofs.ts";
import { type KnownModel, shapesOfModel, unknownModel } from "./known-model.ts";
import { fingerprint, isFixed, type StatedRule, statedRule, strictestRule } from "./stated-rule.ts";

/** How old what the edges said may be before a model that is used is asked for again. */
const freshForMs = 5_000;
/** How long a bound that was found out holds: it may have been that of a server which is no longer there. */
const taughtForMs = 3_600_000;
const mostModels = 256;
/** Longest time that a batch waits for what an edge says that was gone. */
const longestAskMs = 1_000;

/** Whether requests for a model may be joined, and to how many rows. */
export interface BatchRule {
  readonly joins: boolean;
  /** Infinity where no bound is known. */
  readonly mostRows: number;
}

/** The rule for one request. */
export interface RequestRule extends BatchRule {
  /** Rows that all its inputs have in common; undefined where they have none. */
  readonly rows: number | undefined;
  /** Whether servers or proofs say that the answer has a row for each row of the request. */
  readonly hasRows: boolean;
  /** Rows that must stay together where the request may be split: 1, or the batch that the model is fixed at. */
  readonly unitRows?: number | undefined;
}

/** What is known of a model, for people. */
export interface ModelRule extends BatchRule {
  readonly model: string;
  /** Undefined: not known yet, so that shapes are joined as they are proved. */
  readonly isKnown: boolean;
  readonly fixedRows: number | undefined;
  readonly why: string;
  readonly provedShapes: number;
  readonly proofsLeft: number;
}

export interface BatchRulesOptions extends Pick<JoinProofsOptions, "call" | "nowMs"> {
  readonly models: Pick<ModelDirectory, "eachOf" | "describe">;
  /** By model, what the user says. */
  readonly declared?: ReadonlyMap<string, boolean>;
  readonly log: Readonly<Record<"info" | "warn", (facts: object, message: string) => void>>;
  /** Counts a proof. */
  readonly onProof?: (proof: ProofEnd) => void;
}

export class BatchRules {
  readonly #options: BatchRulesOptions;
  readonly #models = new Lru<string, KnownModel>(mostModels);
  readonly #names = new Lru<string, string>(mostModels);
  readonly #proofs: JoinProofs;
  /** By edge: how often another server may have come in its place. */
  readonly #gone = new Map<number, number>();

  constructor(options: BatchRulesOptions) {
    this.#options = options;
    this.#proofs = new JoinProofs({ ...options, onProof: (model, proof) => this.#proofEnded(model, proof) });
  }

  /** What is known of the model as such; one that is not known yet may not be joined. */
  of(model: string): ModelRule {
    const { stated } = this.#known(model);
    const declared = this.#options.declared?.get(model);
    const { against, ...rule } = this.#verdict(model);
    const isStated = declared === undefined || isFixed(stated);
    const said = isStated ? stated?.why : `--join-rows says ${declared}`;
    return {
      model,
      ...rule,
      fixedRows: stated?.fixedRows,
      why: against ?? said ?? "no server has described it yet",
      ...this.#proofs.countsOf(model),
    };
  }

  /** What is known of each model that was used of late. */
  all(): readonly ModelRule[] {
    return [...this.#names.values()].map((model) => this.of(model));
  }

  /** The rule for a request. What is old is asked for again, without the request waiting for it. */
  ruleFor(model: string, request: InferRequest): RequestRule {
    const known = this.#known(model);
    if (this.#options.nowMs() - known.askedAtMs >= freshForMs) void this.learn(model);
    const rows = rowsOfInputs(request);
    const { joins, isKnown, mostRows } = this.#verdict(model);
    const isUnsaid = joins && this.#isByShape(model) && known.shapes.get(stackKey(request)) !== true;
    const alone = { joins: false, mostRows: 1, rows, hasRows: false, unitRows: unitOf(known, rows) };
    if (rows === undefined || mostRows <= 1 || isUnsaid) return alone;
    // What a user says in general need not hold for every output.
    const hasRows = this.#options.declared?.get(model) === undefined;
    const isSplittable = hasRows || known.stated?.hasRowOutputs === true;
    if (!joins && (isKnown || !this.#proofs.mayJoin(model, stackKey(request)))) return alone;
    return { joins: true, mostRows, rows, hasRows, unitRows: isSplittable ? 1 : undefined };
  }

  /** Another server may be at the address of an edge from now on. */
  gone(edge: number): void {
    this.#gone.set(edge, this.#timesGone(edge) + 1);
  }

  /** There is no edge with that number any more; another one may get it. */
  removed(edge: number): void {
    this.gone(edge);
    for (const name of this.#names.values()) {
      const known = this.#models.get(name);
      for (const byEdge of [known?.said, known?.heard, known?.prints]) byEdge?.delete(edge);
      if (known !== undefined) known.unsure = known.unsure.filter((each) => each !== edge);
    }
  }

  /** Whether an edge may get a batch as one call. One that was gone may be back with another model, so it is asked first. */
  mayJoinAt(edge: number, model: string): boolean | Promise<boolean> {
    const known = this.#known(model);
    const isHeard = (): boolean => (known.heard.get(edge) ?? 0) === this.#timesGone(edge);
    const may = (): boolean =>
      isHeard() && known.said.get(edge)?.joins !== false && this.#verdict(model).against === undefined;
    if (this.#options.declared?.get(model) === true) return known.mixed === undefined;
    if (isHeard()) return may();
    const waited = new Promise((resolve) => setTimeout(resolve, longestAskMs).unref());
    return Promise.race([this.learn(model), waited]).then(may);
  }

  #timesGone(edge: number): number {
    return this.#gone.get(edge) ?? 0;
  }

  /** A request was answered, which may say whether its shape is joined. */
  answered(model: string, request: InferRequest, { parameters }: InferResponse): void {
    const said = parameters["spillway_joins"];
    if (typeof said !== "boolean" || !this.#isByShape(model)) return;
    const { shapes } = this.#known(model);
    const shape = stackKey(request);
    const before = shapes.get(shape) === true;
    if (before !== said) shapes.set(shape, said);
    // Perhaps no shape is joined any more.
    if (before && !said) void this.learn(model);
  }

  /** A request was answered that shared its batch with no other. */
  answeredAlone(model: string, request: InferRequest, answer: InferResponse): void {
    const { unsure } = this.#known(model);
    if (unsure.length === 0 || this.#verdict(model).isKnown || rowsOfInputs(request) === undefined) return;
    this.#proofs.answered(model, stackKey(request), { request, answer }, unsure);
  }

  /** A batch was refused, and all its requests were answered in parts of at most so many rows. */
  tooManyRows(model: string, mostRows: number): void {
    const known = this.#known(model);
    const untilMs = this.#options.nowMs() + taughtForMs;
    if (known.taught.untilMs > this.#options.nowMs() && known.taught.mostRows <= mostRows) return;
    known.taught = { mostRows: Math.max(1, mostRows), untilMs };
    this.#options.log.info({ model, mostRows }, "larger batches of the model are refused");
  }

  /** The answer to a batch did not keep the rows of its requests apart. */
  mixedRows(model: string, why: string): void {
    const known = this.#known(model);
    if (known.mixed !== undefined) return;
    known.mixed = why;
    this.#options.log.warn({ model, why }, "rows of the model are no longer joined");
  }

  /** Asks the edges about a model. Never rejects; a question under way is shared. */
  learn(model: string): Promise<void> {
    const known = this.#known(model);
    if (known.asking !== undefined) return known.asking;
    known.askedAtMs = this.#options.nowMs();
    known.asking = this.#ask(model, known)
      .catch((error: unknown) =>
        this.#options.log.warn({ model, why: String(error) }, "the model is not understood"),
      )
      .finally(() => (known.asking = undefined));
    return known.asking;
  }

  /** What the user says, else what the edges say, unless batches or proofs speak against it. */
  #verdict(model: string): BatchRule & Pick<ModelRule, "isKnown"> & { readonly against: string | undefined } {
    const { stated, mixed, taught } = this.#known(model);
    const declared = this.#options.declared?.get(model);
    const against = mixed ?? (declared === undefined ? this.#proofs.whyNot(model) : undefined);
    // Such a server takes no other batch, whatever the user says of the rows.
    const said = isFixed(stated) ? false : (declared ?? stated?.joins);
    const bound = taught.untilMs > this.#options.nowMs() ? taught.mostRows : Infinity;
    const mostRows = Math.min(stated?.mostRows ?? Infinity, bound);
    const isKnown = against !== undefined || said !== undefined;
    return { joins: against === undefined && said === true && mostRows > 1, mostRows, isKnown, against };
  }

  #isByShape(model: string): boolean {
    return this.#options.declared?.get(model) === undefined && this.#known(model).stated?.isByShape === true;
  }

  async #ask(model: string, known: KnownModel): Promise<void> {
    const { models } = this.#options;
    const timesGone = new Map(this.#gone);
    const answers = await models.eachOf(model);
    const described = answers.map((reply) => (reply?.status === 200 ? reply : undefined));
    const rules: (StatedRule | undefined)[] = described.map((reply) => reply && statedRule(reply.body));
    if (rules.some((rule) => rule !== undefined && rule.source !== "parameters")) {
      const configs = await models.eachOf(model, "/config");
      for (const [edge, reply] of described.entries())
        if (reply !== undefined)
          rules[edge] = statedRule(
            reply.body,
            configs[edge]?.status === 200 ? configs[edge].body : undefined,
          );
    }
    for (const [edge, reply] of answers.entries()) {
      const rule = rules[edge];
      if (reply !== undefined) known.heard.set(edge, timesGone.get(edge) ?? 0);
      if (rule !== undefined) known.said.set(edge, rule);
      else if (reply?.status === 404 || reply?.status === 400) known.said.delete(edge);
    }
    for (const [edge, reply] of described.entries())
      if (reply !== undefined)
        this.#notePrint(model, known, edge, `${fingerprint(reply.body)} ${JSON.stringify(rules[edge])}`);
    const said = [...known.said.values()];
    if (said.length > 0) {
      known.stated = strictestRule(said);
      known.unsure = rules.flatMap((rule, edge) =>
        rule !== undefined && rule.joins === undefined ? [edge] : [],
      );
    } else if (known.stated === undefined) {
      // One question is far cheaper than calls of functions for single requests.
      const reply = await models.describe(model).catch(() => undefined);
      if (reply?.status === 200) known.stated = statedRule(reply.body);
    }
    this.#report(model, known);
  }

  /** What was found out about a model holds no longer when an edge describes it differently. */
  #notePrint(model: string, known: KnownModel, edge: number, print: string): void {
    const before = known.prints.get(edge);
    known.prints.set(edge, print);
    if (before === undefined || before === print) return;
    known.mixed = undefined;
    known.shapes = shapesOfModel();
    known.taught = { mostRows: Infinity, untilMs: -Infinity };
    known.isReported = false;
    this.#proofs.forget(model);
  }

  /** Once for each model that is not joined: it costs throughput, and the user may know better. */
  #report(model: string, known: KnownModel): void {
    if (known.isReported) return;
    known.isReported = true;
    const { joins, isKnown, why, fixedRows } = this.of(model);
    if (joins) return;
    const facts = { model, why, ...(fixedRows !== undefined && { fixedRows }) };
    if (isKnown) this.#options.log.info(facts, "every request of the model is sent alone");
    else if (known.stated !== undefined) this.#options.log.info(facts, "joined once that is proved");
    else this.#options.log.warn(facts, "sent alone; --join-rows says that requests may be joined");
  }

  #proofEnded(model: string, proof: ProofEnd): void {
    this.#options.onProof?.(proof);
    const { result, why } = proof;
    if (result === "differed") this.#options.log.warn({ model, why }, "rows of the model are not joined");
    else if (result === "agreed")
      this.#options.log.info({ model, why }, "a shape of the model may be joined");
  }

  #known(model: string): KnownModel {
    let known = this.#models.get(model);
    if (known === undefined) {
      known = unknownModel();
      this.#models.set(model, known);
      this.#names.set(model, model);
    }
    return known;
  }
}

/** The batch that a model is fixed at, where a request has several of them: no server takes it whole. */
function unitOf({ stated }: KnownModel, rows = 0): number | undefined {
  const fixedRows = stated?.fixedRows;
  return fixedRows !== undefined && rows > fixedRows && rows % fixedRows === 0 ? fixedRows : undefined;
}

/** The first dimension that all inputs have in common, 1 or more; undefined when there is none. */
function rowsOfInputs({ inputs }: Pick<InferRequest, "inputs">): number | undefined {
  return commonRows(inputs) || undefined;
}
