/**
 * Conditions in CEL (Common Expression Language), which can neither loop nor reach anything but the message. What CEL has
 * and a message of a device could misuse is refused: `matches`, whose patterns may take forever, and macros within macros.
 */
import { type ASTNode, Environment, EvaluationError, type ParseResult } from "@marcbachmann/cel-js";
import { SideField } from "../../../../../../base/memory/side-field.ts";
import { MessageError } from "./message-error.ts";
import type { MessageView } from "./message-view.ts";

const variables = {
  data: "dyn",
  device: "string",
  topic: "list<string>",
  topicName: "string",
  properties: "map<string, string>",
  retain: "bool",
  received: "double",
} as const;

const macros = new Set(["all", "exists", "exists_one", "map", "filter", "transformList", "transformMap"]);
/** Of an expression that asks for what is not there. */
const missingCodes = new Set(["no_such_key", "index_out_of_bounds", "unknown_variable"]);

/** A condition or value. */
export interface CelExpression {
  readonly text: string;
  /** Names of the variables that it uses. */
  readonly uses: ReadonlySet<string>;
  /** Such as `bool` or `dyn`. */
  readonly type: string;
  /** The value; undefined when something that it asks for is missing. @throws MessageError for any other fault */
  evaluate(view: MessageView): unknown;
  /** The parts that are joined by &&, to tell which one is not met. */
  conjuncts(): readonly CelExpression[];
}

let shared: Environment | undefined;

/**
 * @example
 * parseCel('data.deviceInfo.deviceName == "press-2"').evaluate(view); // true
 *
 * @throws Error that names the character and what is wrong
 */
export function parseCel(text: string): CelExpression {
  const standIns = new StandIns();
  const put = standIns.put(text);
  const fault = (error: unknown): Error => atCharacter(error, put, standIns);
  const program = parsed(put, fault);
  const uses = new Set<string>();
  look(program.ast, 0, uses, standIns);
  const checked = program.check();
  if (!checked.valid) throw fault(checked.error);
  return {
    text,
    uses,
    type: checked.type ?? "dyn",
    evaluate: (view) => evaluated(program, view, text),
    conjuncts: () => {
      const parts = joinedByAnd(program.ast);
      return parts.map(({ start, end, input }) => parseCel(standIns.undo(input.slice(start, end))));
    },
  };
}

/** @throws Error when the expression uses a variable that is not in `roots` */
export function checkUses({ uses }: CelExpression, roots: readonly string[]): void {
  const wrong = [...uses].find((name) => Object.hasOwn(variables, name) && !roots.includes(name));
  if (wrong !== undefined) throw new Error(`uses ${wrong}; allowed: ${roots.join(", ")}`);
}

function parsed(text: string, fault: (error: unknown) => Error): ParseResult {
  try {
    return (shared ??= newEnvironment()).parse(text);
  } catch (error) {
    throw fault(error);
  }
}

function evaluated(program: ParseResult, view: MessageView, text: string): unknown {
  try {
    return program(contextOf(view)) as unknown;
  } catch (error) {
    const isKnown = error instanceof EvaluationError;
    if (isKnown && missingCodes.has(error.code)) return undefined;
    throw new MessageError("wrong_type", `${text}: ${isKnown ? error.summary : (error as Error).message}`);
  }
}

const contexts = new SideField<MessageView, Record<string, unknown>>();

/** What the expression sees, made once for all conditions that look at a message. */
function contextOf(view: MessageView): Record<string, unknown> {
  let context = contexts.get(view);
  if (context === undefined) {
    context = { ...view, data: safeForCel(view.data), properties: safeForCel(view.properties) };
    contexts.set(view, context);
  }
  return context;
}

/** As it is, or as maps where it has a member that would mislead the library: maps take a sixth of a message's time. */
function safeForCel(value: unknown): unknown {
  return hasMisleading(value) ? asMaps(value) : value;
}

function hasMisleading(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Object.hasOwn(value, "constructor") || Object.values(value).some(hasMisleading);
}

/** The library tells types by `constructor`, which a message may have as a member; in a map it is one like any other. */
function asMaps(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asMaps);
  if (typeof value !== "object" || value === null) return value;
  return new Map(Object.entries(value).map(([name, each]) => [name, asMaps(each)]));
}

function newEnvironment(): Environment {
  const environment = new Environment({
    unlistedVariablesAreDyn: false,
    homogeneousAggregateLiterals: false,
    limits: { maxAstNodes: 2_000, maxDepth: 64 },
  });
  for (const [name, type] of Object.entries(variables)) environment.registerVariable(name, type);
  // JSON has one kind of number, so that 2 * data.x would be refused where 2.0 * data.x is not.
  for (const [operator, compute] of Object.entries(arithmetic)) {
    for (const [left, right] of [
      ["double", "int"],
      ["int", "double"],
    ])
      environment.registerOperator(`${left} ${operator} ${right}`, (a: unknown, b: unknown) =>
        compute(Number(a), Number(b)),
      );
  }
  return environment;
}

const arithmetic: Readonly<Record<string, (a: number, b: number) => number>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
};

function joinedByAnd(node: ASTNode): ASTNode[] {
  return node.op === "&&" ? node.args.flatMap(joinedByAnd) : [node];
}

/** Refuses what may take long, notes which variables are used, and puts names in for stand-ins. */
function look(node: ASTNode, macroDepth: number, uses: Set<string>, standIns: StandIns): void {
  if (node.op === "id") uses.add(node.args);
  if (node.op === ".") node.args[1] = standIns.nameOf(node.args[1]);
  let depth = macroDepth;
  if (node.op === "call" || node.op === "rcall") {
    const [name] = node.args;
    if (name === "matches")
      throw new Error(
        `matches is not allowed: its patterns may take forever; allowed: startsWith, endsWith, contains, ==`,
      );
    if (node.op === "rcall" && macros.has(name)) depth++;
    if (depth > 1) throw new Error(`${name} is within another macro; allowed: one at a time`);
  }
  for (const child of nodesIn(node.args)) look(child, depth, uses, standIns);
}

/** The nodes in the operands, which are nodes, lists of them, or names and values. */
function nodesIn(args: unknown): ASTNode[] {
  if (Array.isArray(args)) return args.flatMap(nodesIn);
  return typeof args === "object" && args !== null && "op" in args ? [args as ASTNode] : [];
}

/** A string without an end takes the rest, so that nothing is read twice. */
const stringOrName =
  /(?:[rRbB]{0,2})(?:"""[^]*?(?:"""|$)|'''[^]*?(?:'''|$)|"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?)|\.([\p{L}_][\p{L}\p{N}_]*)/gu;

/** CEL's names are ASCII, those of members need not be: `data.温度` is parsed with a stand-in for its name. */
class StandIns {
  readonly #names: string[] = [];

  /** The text with stand-ins. */
  put(text: string): string {
    return text.replaceAll(stringOrName, (all: string, name: string | undefined) => {
      if (name === undefined || /^[\x20-\x7e]*$/.test(name)) return all;
      return `.${standIn}${this.#names.push(name) - 1}`;
    });
  }

  nameOf(name: string): string {
    return name.startsWith(standIn) ? (this.#names[Number(name.slice(standIn.length))] ?? name) : name;
  }

  /** The text as it was. */
  undo(text: string): string {
    return text.replaceAll(new RegExp(`${standIn}[0-9]+`, "g"), (each) => this.nameOf(each));
  }
}

const standIn = "stand_in_for_name_";

function atCharacter(error: unknown, put: string, standIns: StandIns): Error {
  const { summary, message, range } = error as {
    summary?: string;
    message: string;
    range?: { start: number };
  };
  // Counted in the text as it was written.
  const where =
    range === undefined ? "" : ` at character ${standIns.undo(put.slice(0, range.start)).length + 1}`;
  return new Error(`${standIns.undo(summary ?? message)}${where}`);
}
