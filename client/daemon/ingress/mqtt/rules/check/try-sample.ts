/** What each rule would do with a sample message. No broker and no model is asked. */
import { shapeText, type Tensor } from "../../../../../../protocol/tensor.ts";
import { elementCount } from "../../../../../../protocol/tensor.ts";
import { elementsOfBytes } from "../../../../../../protocol/bytes-elements.ts";
import { outputsJson } from "../answer/output-json.ts";
import type { RuleAnswer } from "../compiled-rule.ts";
import type { RuleConfig } from "../config/rule-fields.ts";
import type { BadMessage, MqttMessage, Publication } from "../message.ts";
import type { RunningRule } from "../running-rule.ts";
import { jsonText } from "../view/message-json.ts";

/** What a sample is, but for what each rule says of where its messages come from. */
export interface SampleMessage {
  readonly payload: Uint8Array;
  readonly topic: string | undefined;
  readonly broker: string | undefined;
  readonly properties: MqttMessage["properties"];
  readonly receivedMs: number;
}

/** An input as it would be sent, with a short form of its values. */
export interface TriedInput {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly values: string;
}

/** What goes out, as far as it can be told without an answer. */
export interface TriedPublication {
  readonly broker: string;
  readonly topic: string;
  readonly qos: number;
  readonly retain: boolean;
  readonly properties: Readonly<Record<string, string>>;
  readonly payload: string;
}

export type Tried =
  | { readonly rule: string; readonly verdict: "passes" | "untried"; readonly why: string }
  | {
      readonly rule: string;
      readonly verdict: "bad";
      readonly fault: BadMessage;
      readonly publication: TriedPublication | undefined;
      readonly whyNone: string | undefined;
    }
  | {
      readonly rule: string;
      readonly verdict: "takes" | "waits";
      readonly model: string;
      readonly device: string | undefined;
      readonly lane: string | undefined;
      readonly deadlineMs: number | undefined;
      readonly parameters: Readonly<Record<string, unknown>>;
      /** Of a window, filled with the sample's values. */
      readonly inputs: readonly TriedInput[];
      /** Messages of a device until its window is full. */
      readonly window: number | undefined;
      /** Outputs are unknown, so that their placeholders are null. */
      readonly publication: TriedPublication | undefined;
      readonly whyNone: string | undefined;
    };

/** Longest text of values and payloads that is shown. */
const mostShown = 240;
/** The id that stands in for one that a daemon would make. */
const sampleId = "SAMPLE-ID";

/** The same rule without what tells messages apart, so that a window fills with one sample. */
export function repeatable(rule: RuleConfig): RuleConfig {
  const { same: _, ...windows } = rule.windows;
  return { ...rule, windows };
}

/**
 * @param repeating the rule as `repeatable` makes it
 * @param config of the rule
 */
export function tryRule(
  rule: RunningRule,
  repeating: RunningRule,
  config: RuleConfig,
  sample: SampleMessage,
): Tried {
  const topic = sample.topic ?? config.from.topic.replace(/^\$share\/[^/]+\//, "");
  if (sample.topic === undefined && /[+#]/.test(topic))
    return {
      rule: rule.id,
      verdict: "untried",
      why: `its topic ${config.from.topic} has wildcards; give --topic`,
    };
  const message = (dup: number): MqttMessage => ({
    broker: sample.broker ?? config.from.broker,
    topic,
    payload: sample.payload,
    qos: config.from.qos,
    retain: false,
    dup: false,
    properties: sample.properties,
    receivedMs: sample.receivedMs + dup,
  });
  const first = message(0);
  if (!rule.isSubscribed(first)) {
    const { broker, topic: filter } = config.from;
    return { rule: rule.id, verdict: "passes", why: `it is subscribed to ${filter} at ${broker}` };
  }
  const matches = rule.matches(first);
  if (matches === false)
    return { rule: rule.id, verdict: "passes", why: `not met: ${rule.unmet(first) ?? config.when ?? ""}` };
  if (matches !== true) return bad(rule, first, matches);
  const id = rule.requestId(first) ?? sampleId;
  let built = rule.request(first, rule.newState());
  const window = built.kind === "waiting" ? built.need : undefined;
  // A window of the same values shows what the model would get.
  const state = repeating.newState();
  for (let more = 0; built.kind === "waiting" && more < built.need; more++)
    built = repeating.request(message(more), state);
  if (built.kind === "bad") return bad(rule, first, built.fault);
  const { name, version } = rule.model;
  const published = rule.result(first, emptyAnswer, id);
  return {
    rule: rule.id,
    verdict: window === undefined ? "takes" : "waits",
    model: version === undefined ? name : `${name} version ${version}`,
    device: built.kind === "request" ? built.request.device : undefined,
    lane: config.lane,
    deadlineMs: config.deadline === undefined ? undefined : config.deadline * 1_000,
    parameters: built.kind === "request" ? built.request.parameters : {},
    inputs: built.kind === "request" ? built.request.inputs.map(shownInput) : [],
    window,
    publication: published.kind === "publication" ? shownPublication(published.publication) : undefined,
    whyNone: published.kind === "none" ? published.fault?.text : undefined,
  };
}

const emptyAnswer: RuleAnswer = { kind: "answer", answer: { modelName: "", parameters: {}, outputs: [] } };

function bad(rule: RunningRule, message: MqttMessage, fault: BadMessage): Tried {
  const answer = { kind: "error", code: fault.reason, text: fault.text } as const;
  const published = rule.result(message, answer, rule.requestId(message) ?? sampleId);
  return {
    rule: rule.id,
    verdict: "bad",
    fault,
    publication: published.kind === "publication" ? shownPublication(published.publication) : undefined,
    whyNone: published.kind === "none" ? published.fault?.text : undefined,
  };
}

function shownInput(tensor: Tensor): TriedInput {
  const { name, datatype, shape } = tensor;
  return { name, datatype, shape, values: valuesText(tensor) };
}

function valuesText(tensor: Tensor): string {
  const { name, datatype, data, shape } = tensor;
  if (datatype !== "BYTES") return short(jsonText(outputsJson([tensor], false)[name]));
  const elements = elementsOfBytes(data, elementCount(shape), name);
  return elements.map(bytesText).join(", ");
}

/** Texts as they are; for others their size, and what kind of picture they seem to be. */
function bytesText(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const kind = pictureKinds.find(([start]) => text.subarray(0, start.length).equals(start))?.[1];
  if (kind !== undefined) return `${kind}, ${bytes.length} bytes`;
  const isText = text.every((byte) => byte >= 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09);
  return isText ? short(text.toString("utf8")) : `${bytes.length} bytes`;
}

const pictureKinds = [
  [Buffer.from([0xff, 0xd8, 0xff]), "JPEG"],
  [Buffer.from([0x89, 0x50, 0x4e, 0x47]), "PNG"],
  [Buffer.from("RIFF"), "WebP"],
  [Buffer.from("GIF8"), "GIF"],
  [Buffer.from("BM"), "BMP"],
] as const;

function shownPublication({
  broker,
  topic,
  qos,
  retain,
  properties,
  payload,
}: Publication): TriedPublication {
  return {
    broker,
    topic,
    qos,
    retain,
    properties: properties.userProperties ?? {},
    payload: bytesText(payload),
  };
}

function short(text: string): string {
  return text.length <= mostShown ? text : `${text.slice(0, mostShown)}... (${text.length} characters)`;
}

/** Such as `x FP32 [1,3] [[1,2,3]]`. */
export function inputText({ name, datatype, shape, values }: TriedInput): string {
  return `${name}  ${datatype}${shapeText(shape)}  ${values}`;
}
