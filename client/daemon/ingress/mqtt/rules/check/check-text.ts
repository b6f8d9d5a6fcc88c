/** The report of `mqtt check`, for people. */
import type { MqttConfig } from "../config/mqtt-config.ts";
import { inputText, type Tried, type TriedPublication } from "./try-sample.ts";

/** The rules of a file that was found good. */
export function rulesText(file: string, { brokers, rules }: MqttConfig): string[] {
  const off = rules.filter(({ enabled }) => !enabled).length;
  const without = off === 0 ? "" : `, ${off} of them not enabled`;
  return [
    `${file}: ${counted(brokers.length, "broker")}, ${counted(rules.length, "rule")}${without}; no faults`,
    ...rules.map(({ name, enabled, from, model, publish }) => {
      const to = publish.topic ?? "the response topic of the message";
      const also =
        publish.topic !== undefined && publish.responseTopic === "prefer" ? ", or its response topic" : "";
      const isOff = enabled ? "" : " (not enabled)";
      return `  ${name}${isOff}: ${from.topic} at ${from.broker}, QoS ${from.qos} -> model ${model.name} -> ${to}${also}`;
    }),
  ];
}

export function triedText(tried: Tried): string[] {
  const { rule, verdict } = tried;
  switch (verdict) {
    case "untried":
      return [`${rule}: not tried: ${tried.why}`];
    case "passes":
      return [`${rule}: does not take it: ${tried.why}`];
    case "bad":
      return [
        `${rule}: bad message, ${tried.fault.reason}: ${tried.fault.text}`,
        ...published(
          "error result",
          tried.publication,
          `no error result goes out: ${tried.whyNone ?? "the rule wants none"}`,
        ),
      ];
    default: {
      const { window, model, device, lane, deadlineMs, parameters, inputs, publication, whyNone } = tried;
      return [
        window === undefined
          ? `${rule}: takes it`
          : `${rule}: takes it, and sends nothing until it has ${window} messages of the device`,
        ...line("device", device),
        ...line("model", model),
        ...line("lane", lane),
        ...line("deadline", deadlineMs === undefined ? undefined : `${deadlineMs / 1_000} s`),
        ...Object.entries(parameters).map(
          ([name, value]) => `  parameter  ${name} = ${JSON.stringify(value)}`,
        ),
        ...inputs.map((input) => `  input      ${inputText(input)}`),
        ...published(
          "answer",
          publication,
          `no answer can go out: ${whyNone ?? "the outputs are not known"}`,
        ),
      ];
    }
  }
}

function published(what: string, publication: TriedPublication | undefined, none: string): string[] {
  if (publication === undefined) return [`  ${none}`];
  const { broker, topic, qos, retain, payload } = publication;
  const kept = retain ? ", retained" : "";
  const unknown = what === "answer" ? "  (outputs are not known here)" : "";
  return [
    `  ${what.padEnd(10)} ${topic} at ${broker}, QoS ${qos}${kept}${unknown}`,
    `             ${payload}`,
  ];
}

function line(name: string, value: string | undefined): string[] {
  return value === undefined ? [] : [`  ${name.padEnd(10)} ${value}`];
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
