/**
 * What the daemon and the commands know of rules: the port between those that move messages and the rules, which decide
 * what a message means. Nothing here reads a clock, a file or a socket, and nothing throws for what a message holds.
 */
import type { InferResponse, RequestedOutput } from "../../../../../protocol/message.ts";
import type { Parameters, Tensor } from "../../../../../protocol/tensor.ts";
import type { RuleModel } from "./config/rule-fields.ts";
import type { BadMessage, MqttMessage, Publication } from "./message.ts";

/** What a rule is subscribed to. */
export interface Subscription {
  /** Name of the broker in the configuration. */
  readonly broker: string;
  /** May have wildcards, and may begin with `$share/GROUP/`. */
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
}

/** The request that a rule makes of a message. */
export interface RuleRequest {
  readonly model: string;
  readonly version?: string | undefined;
  readonly inputs: Tensor[];
  /** Absent for all. */
  readonly outputs?: RequestedOutput[] | undefined;
  readonly parameters: Parameters;
  readonly lane?: string | undefined;
  /** Time for the answer, in milliseconds from when the queue has taken the request; undefined: the usual, or the lane's. */
  readonly deadlineMs?: number | undefined;
  /** Which device the message is from, where the rule says how to tell. */
  readonly device?: string | undefined;
}

/** What becomes of a message at a rule. */
export type Built =
  | { readonly kind: "request"; readonly request: RuleRequest }
  /** A window has too few values yet. The message counts as done: it is acknowledged, and nothing is published. */
  | { readonly kind: "waiting"; readonly have: number; readonly need: number }
  | { readonly kind: "bad"; readonly fault: BadMessage };

/** How a request ended. */
export type RuleAnswer =
  | { readonly kind: "answer"; readonly answer: InferResponse }
  /** The model, the queue or the message failed. `code` is an error code of the queue or a bad message's reason. */
  | { readonly kind: "error"; readonly code: string; readonly text: string };

/** What goes out, or nothing and why. */
export type Published =
  | { readonly kind: "publication"; readonly publication: Publication }
  /** `fault`: it should have gone out and cannot; undefined: the rule wants none. */
  | { readonly kind: "none"; readonly fault?: BadMessage | undefined };

/** What a rule remembers from message to message: the windows of its devices. In memory only. */
export interface RuleState {
  /** Devices whose values are remembered. */
  readonly devices: number;
  /** Memory that the values take, in bytes. */
  readonly bytes: number;
  /** Devices that were forgotten, since the start, because the bounds were reached. */
  readonly forgotten: number;
}

export interface CompiledRule {
  readonly id: string;
  readonly subscription: Subscription;
  readonly model: RuleModel;
  /** Equal for rules that say the same, so that a reload keeps what did not change. */
  readonly fingerprint: string;
  newState(): RuleState;
  /**
   * Whether the rule takes the message. A subscription of another topic, and a condition that is not met or asks for
   * what is not in the message, is a plain no.
   */
  matches(message: MqttMessage): boolean | BadMessage;
  /** The id that the message itself gives its request, where the rule says where it is. */
  requestId(message: MqttMessage): string | undefined;
  /**
   * Builds the request. For the same message object the answer is the same; a message that the broker delivers again is
   * not counted twice in a window.
   */
  request(message: MqttMessage, state: RuleState): Built;
  /** What to publish for an answer or an error. */
  result(message: MqttMessage, answer: RuleAnswer, requestId: string): Published;
}

/** A rule that is concerned by a message. */
export interface Route {
  readonly rule: CompiledRule;
  /** Why the rule cannot serve it; undefined: the rule takes it. */
  readonly fault?: BadMessage | undefined;
  /** Whether an error result goes out for the fault: of several rules with the same fault one answers. */
  readonly answers: boolean;
}

/** All rules of a configuration. */
export interface RuleSet {
  readonly rules: readonly CompiledRule[];
  /** Without doubles: of rules with the same broker and topic the highest QoS counts. */
  readonly subscriptions: readonly Subscription[];
  /**
   * The rules that a message concerns. Empty: it is unmatched, and `unmatchedAt` says at which rule it counts as such.
   */
  route(message: MqttMessage): readonly Route[];
  /** The first rule that is subscribed to the message's topic; undefined when none is. */
  subscribed(message: MqttMessage): CompiledRule | undefined;
}

/** What rules cannot have of themselves. */
export interface RuleSurroundings {
  /** The key of a device, 32 bytes; undefined when there is none. `rule` is the rule's id. */
  readonly keyOf: (rule: string, device: string | undefined) => Uint8Array | undefined;
  /** So many bytes that nobody can guess and that never come twice. */
  readonly randomBytes: (count: number) => Uint8Array;
}
