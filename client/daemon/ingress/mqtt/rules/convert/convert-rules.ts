/**
 * Makes a rule file of one in the older form. A rule there takes messages of a topic to every function whose devices fit;
 * here that is a rule for each function. What cannot be carried over is told, and a rule whose condition is not whole is
 * not enabled, because it would take messages that are not meant.
 */
import { Document } from "yaml";
import { didYouMean, showValue } from "../../../../../../base/error-text.ts";
import { UsageError } from "../../../../../../base/usage-error.ts";
import { memberAt } from "../view/member-path.ts";
import { filterFault, topicFault, topicMatches } from "../view/topic-text.ts";
import { brokersOf, type ConvertedBrokers } from "./convert-brokers.ts";
import { conditionOfDevices, devicePathOf, devicesOf } from "./convert-devices.ts";
import { modelOf } from "./convert-models.ts";
import { type NoteLoss, type OldFunction, type OldRule, type OldRules, oldRules } from "./old-file.ts";

export interface Converted {
  /** The rule file, in YAML. */
  readonly text: string;
  /** What was not carried over, a line each. */
  readonly losses: readonly string[];
}

const known = ["mqtts", "rules", "funcs", "expose"];

/**
 * @param value of the older file
 * @param file what messages call it
 * @throws UsageError when the file has another form
 */
export function convertRules(value: unknown, file: string): Converted {
  const old = readOld(value, file);
  const losses: string[] = [];
  const note: NoteLoss = (place, text) => losses.push(`${place}: ${text}`);
  for (const key of Object.keys(old))
    if (!known.includes(key)) note(key, `is not known${didYouMean(key, known)}`);
  if (old.expose !== undefined)
    note("expose", "programs and ports of containers are none of MQTT; the daemon's own port is --port");
  const brokers = brokersOf(old, note);
  const rules = (old.rules ?? []).flatMap((rule, index) => rulesOf(rule, index, old, brokers, note));
  nameApart(rules);
  if (rules.length === 0) note("rules", "no rule could be made");
  else
    note(
      "rules",
      "what a function returned was published as it was; here results have id, rule, model and outputs, unless publish.payload says otherwise",
    );
  return { text: yamlOf(brokers.list, rules), losses };
}

function readOld(value: unknown, file: string): OldRules {
  if (memberAt(value, ["brokers"]) !== undefined)
    throw new UsageError(
      `${file}: has brokers, so that it is of the form of today; check it with spillway mqtt check`,
    );
  const result = oldRules.safeParse(value, { reportInput: true });
  if (!result.success) {
    const faults = result.error.issues.map(({ path, input, message }) => {
      const place = path.reduce<string>(
        (name, step) =>
          typeof step === "number" ? `${name}[${step}]` : `${name}${name === "" ? "" : "."}${String(step)}`,
        "",
      );
      const [said = ""] = message.split(", received ", 1);
      const allowed = said.replace(/^Invalid input: expected /, "allowed: ");
      return `${file}: ${place === "" ? "the file" : place} is ${showValue(input)}; ${allowed}`;
    });
    throw new UsageError(faults.join("\n"));
  }
  if (known.every((key) => result.data[key] === undefined))
    throw new UsageError(`${file}: is no rule file of the older form; allowed: one with ${known.join(", ")}`);
  return result.data;
}

/** A rule of ours, as far as it is made here. */
interface NewRule {
  name: string;
  readonly comment: string | undefined;
  readonly content: Readonly<Record<string, unknown>>;
}

function rulesOf(
  { sub, pub, name: ownName, func, ...others }: OldRule,
  index: number,
  { funcs }: OldRules,
  brokers: ConvertedBrokers,
  note: NoteLoss,
): NewRule[] {
  const place = `rules[${index}]`;
  noteOthers(others, place, note);
  const { name: _, clientId: __, topic: ___, timeout, ...subOthers } = sub;
  noteOthers({ ...subOthers, ...(timeout !== undefined && { timeout }) }, `${place}.sub`, note);
  const { name: ____, clientId: _____, topic: ______, timeout: _______, ...pubOthers } = pub;
  noteOthers(pubOthers, `${place}.pub`, note);
  const from = brokers.get(sub.name, sub.clientId);
  const to = brokers.get(pub.name, undefined);
  for (const [key, broker, name] of [
    ["sub", from, sub.name],
    ["pub", to, pub.name],
  ] as const)
    if (broker === undefined)
      note(`${place}.${key}.name`, `is ${showValue(name)}, which is none of mqtts; the rule is left out`);
  if (from === undefined || to === undefined) return [];
  const isSame = from.name === to.name || from.url === to.url;
  const faults = [
    ["sub", filterFault(sub.topic)],
    ["pub", topicFault(pub.topic)],
    ["pub", isSame && topicMatches(sub.topic, pub.topic) ? "the rule would take its own results" : undefined],
  ] as const;
  for (const [key, fault] of faults)
    if (fault !== undefined)
      note(
        `${place}.${key}.topic`,
        `is ${showValue(key === "sub" ? sub.topic : pub.topic)}; ${fault}; the rule is left out`,
      );
  if (faults.some(([, fault]) => fault !== undefined)) return [];
  const timeoutS = secondsOf(pub.timeout, `${place}.pub.timeout`, note);
  if (pub.clientId !== undefined && pub.clientId !== sub.clientId)
    note(
      `${place}.pub.clientId`,
      `is ${showValue(pub.clientId)}; one connection both subscribes and publishes, as ${showValue(sub.clientId ?? "")}`,
    );
  const common = {
    from: { broker: from.name, topic: sub.topic, qos: from.qos },
    publish: {
      ...(isSame ? {} : { broker: to.name }),
      topic: pub.topic,
      qos: to.qos,
      ...(to.retain && { retain: true }),
      ...(timeoutS !== undefined && { timeout: timeoutS }),
    },
  };
  if (func !== undefined) {
    note(`${place}.func`, `is ${showValue(func)}; taken as a model of the name of the rule`);
    const own = { modelName: ownName ?? func.split(".").at(-2) ?? func };
    return [ruleOfFunction(own, place, note, common)];
  }
  return (funcs ?? []).map((func, at) =>
    ruleOfFunction(func, `funcs[${at}]`, index === 0 ? note : () => {}, common),
  );
}

const unitSeconds: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3_600 };

/** Such as `10s`, or a number. */
function secondsOf(given: number | string | undefined, place: string, note: NoteLoss): number | undefined {
  if (given === undefined) return undefined;
  const [, number, unit] = /^\s*([0-9]+(?:\.[0-9]+)?)(?:\s*(ms|s|m|h))?\s*$/.exec(String(given)) ?? [];
  const seconds = Number(number) * (unitSeconds[unit ?? "s"] ?? 1);
  if (number === undefined || seconds < 0.001 || seconds > 3_600) {
    note(place, `is ${showValue(given)}; left at 10 s; allowed: 1ms to 1h`);
    return undefined;
  }
  if (unit === undefined) note(place, `is ${given} without a unit; taken as seconds`);
  return seconds;
}

function ruleOfFunction(
  func: OldFunction,
  place: string,
  note: NoteLoss,
  { from, publish }: { readonly from: object; readonly publish: object },
): NewRule {
  const { modelName, modelAddress: _, modelMd5: __, devices: ___, ...more } = func;
  const { deviceName: ____, pointName: _____, ...others } = more;
  noteOthers(others, place, note);
  const devices = devicesOf(func, place, note);
  const condition = conditionOfDevices(devices, place, note);
  const device = devicePathOf(devices);
  note(
    place,
    `does not say what inputs ${modelName} has; its rule gives the whole message as a JSON text in the input "message"`,
  );
  return {
    name: ruleName(modelName),
    comment: condition.isWhole
      ? undefined
      : " Not enabled: a part of its condition could not be carried over.",
    content: {
      ...(!condition.isWhole && { enabled: false }),
      from,
      ...(condition.cel !== undefined && { when: condition.cel }),
      ...(device !== undefined && { device }),
      model: modelOf(func, place, note),
      inputs: [{ name: "message", datatype: "BYTES", json: "data" }],
      publish,
    },
  };
}

function noteOthers(others: Readonly<Record<string, unknown>>, place: string, note: NoteLoss): void {
  for (const [key, value] of Object.entries(others))
    note(`${place}.${key}`, `is ${showValue(value)}; it has no counterpart`);
}

function ruleName(model: string): string {
  const name = model.replaceAll(/[^\p{L}\p{N}_.-]/gu, "-").slice(0, 56);
  return name === "" ? "rule" : name;
}

/** Rules of one function under several topics are told apart by a number. */
function nameApart(rules: readonly NewRule[]): void {
  const seen = new Map<string, number>();
  for (const rule of rules) {
    const count = (seen.get(rule.name) ?? 0) + 1;
    seen.set(rule.name, count);
    if (count > 1) rule.name = `${rule.name}-${count}`;
  }
}

function yamlOf(brokers: readonly object[], rules: readonly NewRule[]): string {
  const content = { brokers, rules: rules.map(({ name, content }) => ({ name, ...content })) };
  const document = new Document(content, { aliasDuplicateObjects: false });
  document.commentBefore =
    " Rules for messages of devices. Check them: spillway mqtt check FILE --message SAMPLE\n The inputs are not those of the models yet: see docs/guide/mqtt-rules.md";
  for (const [index, { comment }] of rules.entries()) {
    const node = document.getIn(["rules", index], true) as { commentBefore?: string };
    if (comment !== undefined) node.commentBefore = comment;
  }
  return document.toString({ lineWidth: 110 });
}
