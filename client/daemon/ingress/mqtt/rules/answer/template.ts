/**
 * Templates: texts and JSON with placeholders such as `${data.deviceInfo.deviceName}`. A placeholder is a path, never code.
 * A text that is one placeholder alone becomes the value, with its type; `$${` stands for `${` itself.
 */
import { jsonText } from "../view/message-json.ts";
import { messageRoots, type MessageView } from "../view/message-view.ts";
import { parsePath, type ValuePath } from "../view/value-path.ts";
import { shortened } from "../../../../../../base/error-text.ts";

/** The names with which a placeholder of an answer begins. */
export const answerRoots = [
  ...messageRoots,
  "id",
  "rule",
  "model",
  "outputs",
  "parameters",
  "error",
] as const;

/** What placeholders of an answer see. */
export interface AnswerView extends MessageView {
  /** Of the request. */
  readonly id: string;
  /** Name of the rule. */
  readonly rule: string;
  readonly model: { readonly name: string; readonly version?: string | undefined };
  /** By their names, nested as their shapes say. Empty when there is no answer. */
  readonly outputs: Readonly<Record<string, unknown>>;
  /** Those of the answer, such as which target served it. */
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: string; readonly text: string } | undefined;
}

export type TextPart = string | ValuePath;

/** A text with placeholders. */
export interface TextTemplate {
  readonly text: string;
  readonly parts: readonly TextPart[];
}

/** @throws Error that says what is wrong with a placeholder */
export function parseTemplate(text: string, roots: readonly string[] = answerRoots): TextTemplate {
  const parts: TextPart[] = [];
  let literal = "";
  let at = 0;
  while (at < text.length) {
    if (text.startsWith("$${", at)) {
      literal += "${";
      at += 3;
    } else if (text.startsWith("${", at)) {
      const end = endOf(text, at + 2);
      if (end === undefined)
        throw new Error(
          `allowed: \${PATH}, closed by }, at character ${at + 1}, ${shortened(text.slice(at))}`,
        );
      if (literal !== "") parts.push(literal);
      literal = "";
      const path = text.slice(at + 2, end).trim();
      try {
        parts.push(parsePath(path, roots));
      } catch (error) {
        throw new Error(`the placeholder \${${shortened(path)}} is no path; ${(error as Error).message}`, {
          cause: error,
        });
      }
      at = end + 1;
    } else literal += text[at++] as string;
  }
  if (literal !== "") parts.push(literal);
  return { text, parts };
}

/** Where the placeholder ends, which may have a } within quotes. */
function endOf(text: string, from: number): number | undefined {
  let quote: string | undefined;
  for (let at = from; at < text.length; at++) {
    const letter = text[at] as string;
    if (quote !== undefined) {
      if (letter === "\\") at++;
      else if (letter === quote) quote = undefined;
    } else if (letter === '"' || letter === "'") quote = letter;
    else if (letter === "}") return at;
  }
  return undefined;
}

/** Whether the text says nothing of its own. */
export function placeholderOf({ parts }: TextTemplate): ValuePath | undefined {
  const [only] = parts;
  return parts.length === 1 && typeof only === "object" ? only : undefined;
}

export function findIn(path: ValuePath, view: MessageView): unknown {
  return path.find(view as unknown as Readonly<Record<string, unknown>>);
}

/** The text, with nothing where a value is missing. */
export function filledText({ parts }: TextTemplate, view: MessageView): string {
  return parts.map((part) => (typeof part === "string" ? part : textOf(findIn(part, view)))).join("");
}

/** A value within a text: texts as they are, nothing for what is missing, else JSON. */
export function textOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : jsonText(value);
}

/** JSON with placeholders in its texts; keys are taken as they are. */
export type JsonTemplate =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "text"; readonly template: TextTemplate }
  | { readonly kind: "list"; readonly items: readonly JsonTemplate[] }
  | { readonly kind: "members"; readonly members: readonly (readonly [string, JsonTemplate])[] };

/** Called for each placeholder that is wrong, with the steps that lead to it. */
export type NoteTemplateFault = (steps: readonly (string | number)[], text: string) => void;

export function parseJsonTemplate(
  value: unknown,
  note: NoteTemplateFault,
  steps: readonly (string | number)[] = [],
): JsonTemplate {
  if (typeof value === "string") {
    try {
      return { kind: "text", template: parseTemplate(value) };
    } catch (error) {
      note(steps, (error as Error).message);
      return { kind: "value", value: null };
    }
  }
  if (Array.isArray(value)) {
    const items = value.map((each, index) => parseJsonTemplate(each, note, [...steps, index]));
    return { kind: "list", items };
  }
  if (typeof value !== "object" || value === null) return { kind: "value", value };
  const members = Object.entries(value).map(
    ([name, each]) => [name, parseJsonTemplate(each, note, [...steps, name])] as const,
  );
  return { kind: "members", members };
}

/** The JSON with its values; null where a text is one placeholder whose value is missing. */
export function filledJson(template: JsonTemplate, view: MessageView): unknown {
  switch (template.kind) {
    case "value":
      return template.value;
    case "list":
      return template.items.map((item) => filledJson(item, view));
    case "members":
      return Object.fromEntries(template.members.map(([name, each]) => [name, filledJson(each, view)]));
    case "text": {
      const only = placeholderOf(template.template);
      return only === undefined ? filledText(template.template, view) : (findIn(only, view) ?? null);
    }
  }
}

/** The paths of all placeholders. */
export function pathsIn(template: JsonTemplate): ValuePath[] {
  switch (template.kind) {
    case "value":
      return [];
    case "list":
      return template.items.flatMap(pathsIn);
    case "members":
      return template.members.flatMap(([, each]) => pathsIn(each));
    case "text":
      return template.template.parts.filter((part) => typeof part === "object");
  }
}
