/**
 * The rule of an embedded broker without a rule file: a device publishes a V2 request, as JSON, to
 * `spillway/MODEL/infer/DEVICE`, and the V2 answer goes to `spillway/MODEL/result/DEVICE`.
 */
import { showValue } from "../../../../base/error-text.ts";
import { decodeInferRequest } from "../../../../protocol/decode.ts";
import { encodeInferResponse } from "../../../../protocol/encode.ts";
import { checkNoSequence, type InferRequest } from "../../../../protocol/message.ts";
import type { Built, CompiledRule, Published, RuleAnswer, RuleSet } from "./rules/compiled-rule.ts";
import type { MqttMessage } from "./rules/message.ts";
import { topicMatches } from "./rules/view/topic-text.ts";

const id = "v2";
const topic = "spillway/+/infer/+";
/** Largest request, in bytes. */
const mostBytes = 2 ** 24;
const publishTimeoutMs = 10_000;

/** @param broker name of the embedded broker */
export function v2Rules(broker: string): RuleSet {
  const rule = new V2Rule(broker);
  return {
    rules: [rule],
    subscriptions: [rule.subscription],
    route: (message) => (rule.matches(message) ? [{ rule, answers: true }] : []),
    subscribed: (message) => (rule.matches(message) ? rule : undefined),
  };
}

class V2Rule implements CompiledRule {
  readonly id = id;
  readonly subscription: CompiledRule["subscription"];
  readonly model = { name: "any" };
  readonly fingerprint = id;

  constructor(broker: string) {
    this.subscription = { broker, topic, qos: 1 };
  }

  newState(): ReturnType<CompiledRule["newState"]> {
    return { devices: 0, bytes: 0, forgotten: 0 };
  }

  matches(message: MqttMessage): boolean {
    return message.broker === this.subscription.broker && topicMatches(topic, message.topic);
  }

  requestId(message: MqttMessage): string | undefined {
    const request = requestIn(message);
    return typeof request === "string" || request.id === "" ? undefined : request.id;
  }

  request(message: MqttMessage): Built {
    const [, model = "", , device] = message.topic.split("/");
    const request = requestIn(message);
    if (typeof request === "string") return { kind: "bad", fault: { reason: "wrong_type", text: request } };
    const { inputs, outputs, parameters } = request;
    return { kind: "request", request: { model, inputs, outputs, parameters, device } };
  }

  result(message: MqttMessage, answer: RuleAnswer, requestId: string): Published {
    const [, model = "", , device = ""] = message.topic.split("/");
    const payload =
      answer.kind === "error"
        ? Buffer.from(JSON.stringify({ id: requestId, error: { code: answer.code, text: answer.text } }))
        : answerIn(answer, requestId);
    const publication = {
      broker: this.subscription.broker,
      topic: `spillway/${model}/result/${device}`,
      payload,
      qos: 1 as const,
      retain: false,
      properties: {},
      timeoutMs: publishTimeoutMs,
    };
    return { kind: "publication", publication };
  }
}

/** What JSON cannot state of an answer is told instead of it. */
function answerIn({ answer }: RuleAnswer & { readonly kind: "answer" }, requestId: string): Uint8Array {
  try {
    return encodeInferResponse({ ...answer, id: requestId }, () => false).body;
  } catch (error) {
    const text = (error as Error).message;
    return Buffer.from(JSON.stringify({ id: requestId, error: { code: "answer_rejected", text } }));
  }
}

/** The request; a text says why there is none. */
function requestIn({ payload }: MqttMessage): InferRequest | string {
  if (payload.byteLength > mostBytes)
    return `the payload has ${showValue(payload.byteLength)} bytes; allowed: at most ${mostBytes}`;
  try {
    const request = decodeInferRequest(payload);
    checkNoSequence(request);
    return request;
  } catch (error) {
    return (error as Error).message;
  }
}
