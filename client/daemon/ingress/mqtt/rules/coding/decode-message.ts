/** From a message to what its rule sees: decrypted, decompressed, parsed. */
import { showValue } from "../../../../../../base/error-text.ts";
import { type CodingConfig, type Compression, compressions } from "../config/coding-fields.ts";
import type { RuleConfig } from "../config/rule-fields.ts";
import type { MqttMessage } from "../message.ts";
import type { CelExpression } from "../view/cel.ts";
import { memberAt, withMember } from "../view/member-path.ts";
import { MessageError } from "../view/message-error.ts";
import { textOfBytes, valueOfJson } from "../view/message-json.ts";
import { headView, type MessageView } from "../view/message-view.ts";
import type { ValuePath } from "../view/value-path.ts";
import { bytesFromBase64 } from "./bytes-text.ts";
import { decompress, type UsedCompression, usedCompression } from "./compress.ts";
import { decrypt } from "./encrypt.ts";

/** Longest name of a device, in bytes of UTF-8. */
const mostDeviceBytes = 256;

/** How a message was coded, so that its answer can be likewise. */
export interface UsedCoding {
  readonly compression: UsedCompression;
  readonly isEncrypted: boolean;
}

export interface DecodedMessage {
  readonly view: MessageView;
  readonly used: UsedCoding;
}

/** What a rule says of payloads, compiled. */
export interface PayloadRule {
  readonly payload: RuleConfig["payload"];
  readonly device: ValuePath | undefined;
  readonly coding: CompiledCoding | undefined;
}

export interface CompiledCoding {
  readonly config: CodingConfig;
  /** Names of members that lead to the coded part; undefined: the whole payload is coded. */
  readonly part: readonly string[] | undefined;
  readonly compressedIf: CelExpression | undefined;
  readonly encryptedIf: CelExpression | undefined;
  /** The key of a device. */
  readonly keyOf: (device: string | undefined) => Uint8Array | undefined;
}

/** Of a message that is neither compressed nor encrypted. */
export const plainCoding: UsedCoding = { compression: "none", isEncrypted: false };

/** @throws MessageError */
export function decodeMessage(message: MqttMessage, rule: PayloadRule): DecodedMessage {
  const { payload, coding } = rule;
  if (message.payload.length > payload.mostBytes) {
    const { length } = message.payload;
    throw new MessageError(
      "too_large",
      `the payload has ${length} bytes; allowed: at most ${payload.mostBytes}`,
    );
  }
  const head = withDevice(headView(message), rule.device);
  if (coding === undefined) return { view: parsed(head, message.payload, rule), used: plainCoding };
  if (coding.part !== undefined) return decodedPart(parsed(head, message.payload, rule), coding, coding.part);
  const { bytes, used } = decoded(message.payload, coding, head);
  return { view: parsed(head, bytes, rule), used };
}

function parsed(head: MessageView, bytes: Uint8Array, { payload, device }: PayloadRule): MessageView {
  const { format } = payload;
  const data = format === "json" ? valueOfJson(bytes) : format === "text" ? textOfBytes(bytes) : undefined;
  return withDevice({ ...head, data, bytes }, device);
}

/** A name that is no text, or too long, is none. */
function withDevice(view: MessageView, path: ValuePath | undefined): MessageView {
  const found = path?.find(view as unknown as Record<string, unknown>);
  const isName = typeof found === "string" || typeof found === "number" || typeof found === "bigint";
  const device = isName ? String(found) : "";
  return device === "" || Buffer.byteLength(device) > mostDeviceBytes ? view : { ...view, device };
}

function decodedPart(view: MessageView, coding: CompiledCoding, part: readonly string[]): DecodedMessage {
  const path = `data.${part.join(".")}`;
  const coded = memberAt(view.data, part);
  const how = howCoded(coding, view);
  if (coded === undefined || (how.compression === "none" && !how.isEncrypted))
    return { view, used: plainCoding };
  if (how.compression === "auto" && !how.isEncrypted && typeof coded !== "string")
    return { view, used: plainCoding };
  const bytes = typeof coded === "string" ? bytesFromBase64(coded) : undefined;
  if (bytes === undefined)
    throw new MessageError("not_decodable", `${path} is ${showValue(coded)}; allowed: a text in base64`);
  const { bytes: plainBytes, used } = decoded(bytes, coding, view);
  return { view: { ...view, data: withMember(view.data, part, valueOfJson(plainBytes)) }, used };
}

function decoded(
  bytes: Uint8Array,
  coding: CompiledCoding,
  view: MessageView,
): { readonly bytes: Uint8Array; readonly used: UsedCoding } {
  const { compression, isEncrypted } = howCoded(coding, view);
  const clear = isEncrypted ? decrypt(bytes, neededKey(coding, view.device)) : bytes;
  const used = usedCompression(clear, compression);
  return {
    bytes: decompress(clear, used, coding.config.mostDecodedBytes),
    used: { compression: used, isEncrypted },
  };
}

/** @throws MessageError */
export function neededKey({ keyOf }: CompiledCoding, device: string | undefined): Uint8Array {
  const key = keyOf(device);
  if (key !== undefined) return key;
  const whose = device === undefined ? "of the message" : showValue(device);
  throw new MessageError("no_key", `there is no key for the device ${whose}`);
}

function howCoded(
  { config, compressedIf, encryptedIf }: CompiledCoding,
  view: MessageView,
): { readonly compression: Compression | "auto"; readonly isEncrypted: boolean } {
  const compression =
    compressedIf === undefined ? config.compression : saidCompression(config, compressedIf, view);
  const isEncrypted =
    config.encryption !== "none" && (encryptedIf === undefined || isSaid(encryptedIf, view));
  return { compression, isEncrypted };
}

function saidCompression(
  { compression }: CodingConfig,
  condition: CelExpression,
  view: MessageView,
): Compression | "auto" {
  const said = condition.evaluate(view);
  if (said === undefined || said === null || said === false || said === "") return "none";
  if (said === true) return compression;
  const named = compressions.find((each) => each === said);
  if (named !== undefined) return named;
  const allowed = `true, false, ${compressions.join(", ")}`;
  throw new MessageError("not_decodable", `${condition.text} is ${showValue(said)}; allowed: ${allowed}`);
}

function isSaid(condition: CelExpression, view: MessageView): boolean {
  const said = condition.evaluate(view);
  if (said === undefined || said === null) return false;
  if (typeof said === "boolean") return said;
  throw new MessageError("not_decodable", `${condition.text} is ${showValue(said)}; allowed: true, false`);
}
