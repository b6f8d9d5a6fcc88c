/** Compiles how the messages of a rule are coded: what is checked when the rule file is read, and what runs by message. */
import { showValue } from "../../../../../base/error-text.ts";
import { hasZstd } from "./coding/compress.ts";
import type { CompiledCoding } from "./coding/decode-message.ts";
import type { CodingConfig } from "./config/coding-fields.ts";
import type { NoteConfigFault } from "./config/config-faults.ts";
import type { RuleConfig } from "./config/rule-fields.ts";
import { type CelExpression, checkUses, parseCel } from "./view/cel.ts";
import { messageRoots } from "./view/message-view.ts";

const memberNames = /^(?:\.([^.[\]"'\s${}=*]+)|\["((?:[^"\\])*)"\])/;

/** Names of the roots that a whole payload's coding can know of, before it is decoded. */
const headRoots = messageRoots.filter((root) => root !== "data");

export interface CheckedCoding extends Omit<CompiledCoding, "keyOf"> {
  /** Names of members that lead to the coded part of an answer; undefined: all of it. */
  readonly answerPart: readonly string[] | undefined;
}

/** Undefined when the rule has none, or faults were noted. */
export function compileCoding(rule: RuleConfig, note: NoteConfigFault): CheckedCoding | undefined {
  const { coding, payload, device } = rule;
  if (coding === undefined) return undefined;
  const noteHere: NoteConfigFault = (steps, text) => note(["coding", ...steps], text);
  checkKinds(coding, device, noteHere);
  if (coding.part !== undefined && payload.format !== "json")
    noteHere(["part"], `stands beside payload.format ${payload.format}; allowed: beside json`);
  const roots: readonly string[] = coding.part === undefined ? headRoots : messageRoots;
  if (
    coding.part === undefined &&
    coding.encryption !== "none" &&
    device !== undefined &&
    /^data\b/.test(device)
  )
    note(
      ["device"],
      `is ${showValue(device)}; allowed where the whole payload is encrypted: a path that begins with topic, topicName or properties`,
    );
  return {
    config: coding,
    part: namesOf(coding.part, "data", (text) => noteHere(["part"], text)),
    answerPart: namesOf(coding.answerPart, undefined, (text) => noteHere(["answerPart"], text)),
    compressedIf: condition(coding, "compressedIf", roots, noteHere),
    encryptedIf: condition(coding, "encryptedIf", roots, noteHere),
  };
}

function checkKinds(coding: CodingConfig, device: string | undefined, note: NoteConfigFault): void {
  const { compression, encryption, keys } = coding;
  if (compression === "none" && encryption === "none") note([], "says neither compression nor encryption");
  if (compression === "zstd" && !hasZstd)
    note(["compression"], "is zstd, which this Node cannot decode; Node 22.15 and later can");
  if (compression === "none" && coding.compressedIf !== undefined)
    note(
      ["compressedIf"],
      "stands beside compression none; allowed: beside what a message that is compressed has",
    );
  if (encryption === "none") {
    for (const key of ["encryptedIf", "keys"] as const)
      if (coding[key] !== undefined)
        note([key], "stands beside encryption none; allowed: beside aes-256-gcm");
    return;
  }
  if (keys === undefined || (keys.file === undefined) === (keys.env === undefined))
    note(
      ["keys"],
      `${keys === undefined ? "is missing" : "has not one source"}; allowed: one of file and env`,
    );
  if (device === undefined) note(["keys"], "needs to know the device; say with device where its name is");
}

function condition(
  coding: CodingConfig,
  key: "compressedIf" | "encryptedIf",
  roots: readonly string[],
  note: NoteConfigFault,
): CelExpression | undefined {
  const text = coding[key];
  if (text === undefined) return undefined;
  try {
    const expression = parseCel(text);
    checkUses(expression, roots);
    return expression;
  } catch (error) {
    note([key], `is ${showValue(text)}; ${(error as Error).message}`);
    return undefined;
  }
}

/** The names of members in a path such as `data.telemetry` or `data["a b"].c`. */
function namesOf(
  path: string | undefined,
  root: string | undefined,
  note: (text: string) => void,
): readonly string[] | undefined {
  if (path === undefined) return undefined;
  const names: string[] = [];
  const start = root ?? "";
  let rest = root === undefined && !path.startsWith("[") ? `.${path}` : path.slice(start.length);
  if (!path.startsWith(start)) rest = "?";
  while (rest !== "") {
    const [all = "", plain, quoted] = memberNames.exec(rest) ?? [];
    if (all === "") {
      note(
        `is ${showValue(path)}; allowed: names of members, such as ${root === undefined ? "outputs" : "data.telemetry"}`,
      );
      return undefined;
    }
    names.push(plain ?? quoted ?? "");
    rest = rest.slice(all.length);
  }
  if (names.length === 0) {
    note(`is ${showValue(path)}; allowed: a part of the message. Without it, the whole payload is coded`);
    return undefined;
  }
  return names;
}
