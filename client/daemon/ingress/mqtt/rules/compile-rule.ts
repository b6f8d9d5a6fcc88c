/** Compiles one rule. Every fault is noted with its place; a rule without faults never throws for what a message holds. */
import { showValue } from "../../../../../base/error-text.ts";
import { compileAnswer } from "./compile-answer.ts";
import { compileCoding } from "./compile-coding.ts";
import { compileRequest } from "./compile-request.ts";
import type { RuleSurroundings } from "./compiled-rule.ts";
import type { NoteConfigFault } from "./config/config-faults.ts";
import type { RuleConfig } from "./config/rule-fields.ts";
import type { MessageViews } from "./message-views.ts";
import { RunningRule } from "./running-rule.ts";
import { type CelExpression, checkUses, parseCel } from "./view/cel.ts";
import { messageRoots } from "./view/message-view.ts";
import { filterFault } from "./view/topic-text.ts";
import { parsePath, type ValuePath } from "./view/value-path.ts";

/** The rule; undefined when faults were noted. */
export function compileRule(
  rule: RuleConfig,
  views: MessageViews,
  surroundings: RuleSurroundings,
  note: NoteConfigFault,
): RunningRule | undefined {
  let faults = 0;
  const counted: NoteConfigFault = (steps, text) => {
    faults++;
    note(steps, text);
  };
  const roots: readonly string[] =
    rule.payload.format === "bytes" ? messageRoots.filter((root) => root !== "data") : messageRoots;
  const filter = filterFault(rule.from.topic);
  if (filter !== undefined) counted(["from", "topic"], `is ${showValue(rule.from.topic)}; ${filter}`);
  checkModel(rule, counted);
  const coding = compileCoding(rule, counted);
  const device = pathOf(
    rule,
    "device",
    roots.filter((root) => root !== "device"),
    counted,
  );
  const requestId = pathOf(rule, "requestId", roots, counted);
  const when = conditionOf(rule, roots, counted);
  const request = compileRequest(rule, roots, counted);
  const answer = compileAnswer(rule, counted);
  if (faults > 0 || request === undefined) return undefined;
  return new RunningRule({
    rule,
    views,
    payload: {
      payload: rule.payload,
      device,
      coding: coding && { ...coding, keyOf: (name) => surroundings.keyOf(rule.name, name) },
    },
    answerPart: coding?.answerPart,
    when,
    requestId,
    request,
    answer,
    randomBytes: surroundings.randomBytes,
  });
}

function pathOf(
  rule: RuleConfig,
  key: "device" | "requestId",
  roots: readonly string[],
  note: NoteConfigFault,
): ValuePath | undefined {
  const text = rule[key];
  if (text === undefined) return undefined;
  try {
    const path = parsePath(text, roots);
    if (path.isMany) throw new Error("allowed: a path to one value, without [*]");
    return path;
  } catch (error) {
    note([key], `is ${showValue(text)}; ${(error as Error).message}`);
    return undefined;
  }
}

function conditionOf(
  { when }: RuleConfig,
  roots: readonly string[],
  note: NoteConfigFault,
): CelExpression | undefined {
  if (when === undefined) return undefined;
  try {
    const expression = parseCel(when);
    checkUses(expression, roots);
    if (expression.type !== "bool" && expression.type !== "dyn")
      throw new Error(`gives ${expression.type}; allowed: a condition, which is true or false`);
    return expression;
  } catch (error) {
    note(["when"], `is ${showValue(when)}; ${(error as Error).message}`);
    return undefined;
  }
}

const digestBytes = { sha256: 32, md5: 16 } as const;

function checkModel({ model }: RuleConfig, note: NoteConfigFault): void {
  const { zip, sha256, md5 } = { zip: undefined, sha256: undefined, md5: undefined, ...model };
  if (zip === undefined && (sha256 !== undefined || md5 !== undefined))
    note(["model"], "has a checksum and no zip");
  if (zip !== undefined && /^https?:/.test(zip) && sha256 === undefined && md5 === undefined)
    note(["model", "zip"], "is a URL without a checksum; allowed: beside sha256 or md5");
  for (const [name, bytes] of Object.entries(digestBytes)) {
    const digest = { sha256, md5 }[name as keyof typeof digestBytes];
    if (digest === undefined || isDigest(digest, bytes)) continue;
    note(["model", name], `is ${showValue(digest)}; allowed: ${bytes} bytes in hexadecimal or base64`);
  }
}

function isDigest(text: string, bytes: number): boolean {
  if (new RegExp(`^[0-9a-fA-F]{${bytes * 2}}$`).test(text)) return true;
  return /^[A-Za-z0-9+/_-]+={0,2}$/.test(text) && Buffer.from(text, "base64").length === bytes;
}
