/** The bytes of an answer: its template filled, and coded as its message was. */
import { compress } from "../coding/compress.ts";
import { type CompiledCoding, neededKey, type UsedCoding } from "../coding/decode-message.ts";
import { encrypt, newNonce } from "../coding/encrypt.ts";
import type { PublishConfig } from "../config/answer-fields.ts";
import { memberAt, withMember } from "../view/member-path.ts";
import { MessageError } from "../view/message-error.ts";
import { jsonText } from "../view/message-json.ts";
import { type AnswerView, filledJson, type JsonTemplate, pathsIn, textOf } from "./template.ts";

/** How a payload is made of its template. */
export interface PayloadForm {
  readonly format: PublishConfig["format"];
  /** Undefined: the default payload. */
  readonly template: JsonTemplate | undefined;
  /** Whether the id of the request has to be added. */
  readonly lacksId: boolean;
}

export function payloadForm(
  format: PublishConfig["format"],
  template: JsonTemplate | undefined,
): PayloadForm {
  const lacksId =
    template?.kind === "members" &&
    template.members.every(([name]) => name !== "id") &&
    pathsIn(template).every(({ root }) => root !== "id");
  return { format, template, lacksId };
}

/** The value of the payload: JSON, a text, or bytes. */
export function payloadValue({ template, lacksId }: PayloadForm, view: AnswerView): unknown {
  if (template === undefined) return defaultPayload(view);
  const value = filledJson(template, view);
  return lacksId ? { id: view.id, ...(value as Record<string, unknown>) } : value;
}

function defaultPayload({ id, rule, device, model, outputs, error }: AnswerView): unknown {
  const head = { id, rule, ...(device !== undefined && { device }) };
  return error === undefined ? { ...head, model: model.name, outputs } : { ...head, error };
}

/** @throws MessageError when a payload of bytes has none */
export function bytesOfPayload(format: PublishConfig["format"], value: unknown): Uint8Array {
  if (format === "json") return Buffer.from(jsonText(value));
  if (format === "text") return Buffer.from(textOf(value));
  if (value instanceof Uint8Array) return value;
  if (typeof value === "string") return Buffer.from(value);
  throw new MessageError("wrong_type", "the answer has no bytes where the rule's payload says");
}

export interface AnswerCoding {
  /** Undefined: messages of the rule are not coded. */
  readonly coding: CompiledCoding | undefined;
  readonly used: UsedCoding;
  /** Names of members that lead to the coded part of the answer; undefined: all of it. */
  readonly part: readonly string[] | undefined;
  readonly randomBytes: (count: number) => Uint8Array;
}

/** Codes the payload as its message was. @throws MessageError when there is no key */
export function codedPayload(
  format: PublishConfig["format"],
  value: unknown,
  device: string | undefined,
  coding: AnswerCoding,
): Uint8Array {
  const { used, part } = coding;
  if (coding.coding === undefined || (used.compression === "none" && !used.isEncrypted))
    return bytesOfPayload(format, value);
  const encode = (bytes: Uint8Array): Uint8Array => encoded(bytes, device, coding);
  const found = part === undefined ? undefined : memberAt(value, part);
  if (part === undefined || found === undefined) return encode(bytesOfPayload(format, value));
  const coded = Buffer.from(encode(Buffer.from(jsonText(found)))).toString("base64");
  return bytesOfPayload(format, withMember(value, part, coded));
}

function encoded(
  bytes: Uint8Array,
  device: string | undefined,
  { coding, used, randomBytes }: AnswerCoding,
): Uint8Array {
  const small = compress(bytes, used.compression);
  return used.isEncrypted
    ? encrypt(small, neededKey(coding as CompiledCoding, device), newNonce(randomBytes))
    : small;
}
