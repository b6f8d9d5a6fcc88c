/**
 * What servers say of joining the rows of several requests to a model: our edge in the parameters of its metadata, Triton
 * in its configuration, and any server by the shapes of the model's inputs and outputs.
 */
import { createHash } from "node:crypto";
import { jsonIn } from "../../transports/reply-text.ts";

export interface StatedRule {
  /** Undefined where the server does not say and nothing speaks against it, so that only a proof can tell. */
  readonly joins: boolean | undefined;
  /** Most rows of a joined batch; Infinity where the server sets no bound. */
  readonly mostRows: number;
  /** The batch that the model's file is fixed at; undefined where it may vary or is not known. */
  readonly fixedRows: number | undefined;
  /** Whether only shapes of requests are joined whose answers say so, because the server proves them one by one. */
  readonly isByShape?: boolean;
  readonly source: "parameters" | "config" | "shapes";
  /** Where this is known from, as a clause. */
  readonly why: string;
  /** Whether every output is said to have a row for each row of the inputs. */
  readonly hasRowOutputs: boolean;
}

/** Most rows that a server is believed to join; what it says beyond is taken for this. */
const mostStatedRows = 65_536;
/** Characters of a tensor's name that a reason repeats. */
const mostNameChars = 100;

type Json = Readonly<Record<string, unknown>>;

/**
 * @param metadata answer to GET v2/models/{name}; undefined: none
 * @param config answer to GET v2/models/{name}/config, in Triton's form; undefined: none
 *
 * @example
 * statedRule(metadata, bytesOf({ max_batch_size: 8 })); // { joins: true, mostRows: 8, ... }
 */
export function statedRule(metadata: Uint8Array | undefined, config?: Uint8Array): StatedRule {
  const model = objectIn(metadata === undefined ? undefined : jsonIn(metadata));
  const parameters = objectIn(model["parameters"]);
  const fixedRows = countIn(parameters["fixed_rows"]) ?? fixedIn(model);
  const said = flagIn(parameters["join_rows"]);
  if (said !== undefined) {
    const mostRows = countIn(parameters["max_batch_rows"]) ?? fixedRows ?? Infinity;
    const rule = ruleOf("parameters", said, mostRows, fixedRows, `the server says join_rows: ${said}`);
    return flagIn(parameters["join_by_shape"]) === true ? { ...rule, isByShape: true } : rule;
  }
  const size = sizeIn(objectIn(config === undefined ? undefined : jsonIn(config))["max_batch_size"]);
  if (size !== undefined)
    return ruleOf(
      "config",
      size > 0,
      Math.max(1, size),
      fixedRows,
      `its configuration says max_batch_size: ${size}`,
    );
  const against = reasonAgainst(model);
  const why = against ?? "no server says whether its rows may be joined";
  return {
    joins: against === undefined ? undefined : false,
    mostRows: Infinity,
    fixedRows,
    source: "shapes",
    why,
    hasRowOutputs: against === undefined && tensorsIn(model["outputs"]).length > 0,
  };
}

/**
 * The strictest of what several edges say.
 *
 * @param rules at least one
 */
export function strictestRule(rules: readonly StatedRule[]): StatedRule {
  const decisive =
    rules.find(({ joins }) => joins === false) ??
    rules.find(({ joins }) => joins === undefined) ??
    rules.reduce((least, rule) => (rule.mostRows < least.mostRows ? rule : least));
  const mostRows = Math.min(...rules.map((rule) => rule.mostRows));
  const fixedRows = rules.find((rule) => rule.fixedRows !== undefined)?.fixedRows;
  const isByShape = rules.some((rule) => rule.isByShape === true);
  const hasRowOutputs = rules.every((rule) => rule.hasRowOutputs);
  return { ...decisive, mostRows, fixedRows, hasRowOutputs, ...(isByShape && { isByShape }) };
}

/** Whether a server that is not ours takes batches of one size alone. Metadata that say 1 are often wrong. */
export function isFixed(stated: StatedRule | undefined): boolean {
  return stated !== undefined && stated.source !== "parameters" && (stated.fixedRows ?? 1) > 1;
}

/** A digest of names, versions and shapes of a model, by which a change of it is noticed. */
export function fingerprint(metadata: Uint8Array): string {
  const { name, versions, inputs, outputs } = objectIn(jsonIn(metadata));
  const tensors = [inputs, outputs].map((list) =>
    tensorsIn(list).map(({ name: tensor, datatype, shape }) => [tensor, datatype, shape]),
  );
  return createHash("sha256")
    .update(JSON.stringify([name, versions, tensors]))
    .digest("base64");
}

function ruleOf(
  source: StatedRule["source"],
  joins: boolean,
  mostRows: number,
  fixedRows: number | undefined,
  why: string,
): StatedRule {
  return { joins: joins && mostRows > 1, mostRows, fixedRows, source, why, hasRowOutputs: joins };
}

/** A reason in the shapes of a model not to join its rows; undefined when they show none. */
function reasonAgainst(model: Json): string | undefined {
  for (const [what, list] of [
    ["input", model["inputs"]],
    ["output", model["outputs"]],
  ] as const) {
    for (const { name, shape } of tensorsIn(list)) {
      if (!Array.isArray(shape)) continue;
      const rows = shape.length === 0 ? undefined : Number(shape[0]);
      if (rows === undefined) return `${what} ${nameOf(name)} has no first dimension`;
      if (rows !== -1) return `the first dimension of ${what} ${nameOf(name)} is fixed at ${rows}`;
    }
  }
  return undefined;
}

function nameOf(name: unknown): string {
  return String(name).slice(0, mostNameChars);
}

/** The first dimension that all inputs have in common, where it is fixed. */
function fixedIn(model: Json): number | undefined {
  const firsts = tensorsIn(model["inputs"]).map(({ shape }) =>
    Array.isArray(shape) ? countIn(Number(shape[0])) : undefined,
  );
  return firsts.every((rows) => rows === firsts[0]) ? firsts[0] : undefined;
}

function tensorsIn(list: unknown): Json[] {
  return Array.isArray(list) ? list.map(objectIn) : [];
}

function objectIn(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function flagIn(value: unknown): boolean | undefined {
  if (value === true || value === "true") return true;
  return value === false || value === "false" ? false : undefined;
}

/** An integer from 1, also as a text. */
function countIn(value: unknown): number | undefined {
  const size = sizeIn(value);
  return size === 0 ? undefined : size;
}

/** Of 0 or more, cut where it is beyond belief. */
function sizeIn(value: unknown): number | undefined {
  const size = typeof value === "string" && /^[0-9]{1,9}$/.test(value) ? Number(value) : value;
  if (typeof size !== "number" || !Number.isInteger(size) || size < 0) return undefined;
  return Math.min(size, mostStatedRows);
}
