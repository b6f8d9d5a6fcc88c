/**
 * Paths to values: `data.telemetry.temperature`, `data.points[0]`, `data["a b"].c`, `data.rows[*].t`,
 * `data.metrics[name=Temp].value`. They find own members of JSON only, so no name leads to anything else.
 */
import { didYouMean, shortened } from "../../../../../../base/error-text.ts";

type Step =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "index"; readonly index: number }
  | { readonly kind: "all" }
  /** The first object of a list whose member has this value. */
  | { readonly kind: "where"; readonly name: string; readonly value: string };

export interface ValuePath {
  readonly text: string;
  readonly root: string;
  /** Whether the path stands for a list of values. */
  readonly isMany: boolean;
  /** The value; undefined when there is none. */
  find(view: Readonly<Record<string, unknown>>): unknown;
}

const mostSteps = 64;
const nameAt = /[^.[\]"'\s${}=*]+/y;
const indexAt = /\[(-?[0-9]{1,9})\]/y;
const quotedAt = /\[("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\]/y;
const allAt = /\[\*\]/y;
const whereAt = /\[([^.[\]"'\s${}=*]+)=("(?:[^"\\]|\\.)*"|[^\]"]+)\]/y;

/**
 * @param roots the names with which the path may begin
 * @throws Error that says what is allowed
 */
export function parsePath(text: string, roots: readonly string[]): ValuePath {
  const root = matchAt(nameAt, text, 0)?.[0];
  if (root === undefined || !roots.includes(root)) {
    const hint =
      root !== undefined && roots.includes("data") && root.length < 30 && !isNear(root, roots)
        ? `; did you mean "data.${shortened(text)}"?`
        : didYouMean(root ?? "", roots);
    throw new Error(`allowed: a path that begins with ${roots.join(", ")}${hint}`);
  }
  const steps: Step[] = [];
  let at = root.length;
  while (at < text.length) {
    const [step, length] = stepAt(text, at);
    steps.push(step);
    at += length;
    if (steps.length > mostSteps) throw new Error(`allowed: a path of at most ${mostSteps} steps`);
  }
  return {
    text,
    root,
    isMany: steps.some(({ kind }) => kind === "all"),
    find: (view) => walk(member(view, root), steps, 0),
  };
}

function isNear(root: string, roots: readonly string[]): boolean {
  return roots.some((each) => each.startsWith(root) || root.startsWith(each));
}

function stepAt(text: string, at: number): readonly [Step, number] {
  if (text[at] === ".") {
    const name = matchAt(nameAt, text, at + 1)?.[0];
    if (name !== undefined) return [{ kind: "name", name }, name.length + 1];
  }
  const index = matchAt(indexAt, text, at);
  if (index !== undefined) return [{ kind: "index", index: Number(index[1]) }, index[0].length];
  const quoted = matchAt(quotedAt, text, at);
  if (quoted !== undefined) return [{ kind: "name", name: unquoted(quoted[1] as string) }, quoted[0].length];
  const all = matchAt(allAt, text, at);
  if (all !== undefined) return [{ kind: "all" }, all[0].length];
  const where = matchAt(whereAt, text, at);
  if (where !== undefined) {
    const [whole, name = "", value = ""] = where;
    return [{ kind: "where", name, value: unquoted(value) }, whole.length];
  }
  throw new Error(
    `allowed: .NAME, ["NAME"], [INDEX], [*] or [NAME=VALUE] at character ${at + 1}, "${shortened(text.slice(at))}"`,
  );
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}

function unquoted(text: string): string {
  return /^["']/.test(text) ? text.slice(1, -1).replaceAll(/\\(.)/gs, "$1") : text;
}

function walk(value: unknown, steps: readonly Step[], from: number): unknown {
  let found = value;
  for (let at = from; at < steps.length; at++) {
    const step = steps[at] as Step;
    if (step.kind === "all") {
      if (!Array.isArray(found)) return undefined;
      return found.map((each) => walk(each, steps, at + 1));
    }
    found = stepped(found, step);
    if (found === undefined) return undefined;
  }
  return found;
}

function stepped(value: unknown, step: Exclude<Step, { kind: "all" }>): unknown {
  if (step.kind === "name") return member(value, step.name);
  if (!Array.isArray(value)) return undefined;
  if (step.kind === "index") return value.at(step.index) as unknown;
  return value.find((each: unknown) => {
    const found = member(each, step.name);
    const isPlain = typeof found === "string" || typeof found === "boolean" || typeof found === "bigint";
    return (isPlain || typeof found === "number") && String(found) === step.value;
  }) as unknown;
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}
