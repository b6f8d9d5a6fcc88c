/** Reads a rule file: YAML or JSON text to a configuration in which everything is checked that can be without a broker. */
import { LineCounter, parseDocument } from "yaml";
import { checkRule, checkRules } from "../compile-rules.ts";
import { ConfigFaults } from "./config-faults.ts";
import { addIssues } from "./config-issues.ts";
import { type MqttConfig, mqttFields } from "./mqtt-config.ts";
import { memberAt } from "../view/member-path.ts";
import { ruleFields } from "./rule-fields.ts";

/** Longest text of a rule file, in characters. */
const mostChars = 4 * 2 ** 20;

/**
 * The configuration in a text, with defaults.
 *
 * @example
 * parseMqttConfig("brokers: [{ name: plant, url: mqtt://127.0.0.1 }]", "rules.yaml").brokers[0].version; // "5"
 *
 * @param place what messages call the text, such as the file's name
 * @throws UsageError with a line for each fault: `rules.yaml:12:5: rules[0].from.qos is 3; allowed: 0, 1, 2`
 */
export function parseMqttConfig(text: string, place: string): MqttConfig {
  if (text.length > mostChars) {
    const faults = new ConfigFaults(place);
    faults.addText(` has ${text.length} characters; allowed: at most ${mostChars}`);
    faults.throwAny();
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true, prettyErrors: false });
  const faults = new ConfigFaults(place, document, lines);
  for (const { message, pos } of document.errors) {
    const { line, col } = lines.linePos(pos[0]);
    faults.addText(`:${line}:${col}: ${message}`);
  }
  faults.throwAny();
  return readMqttConfig(valueOf(document, faults), faults);
}

function valueOf(document: ReturnType<typeof parseDocument>, faults: ConfigFaults): unknown {
  try {
    return document.toJS() as unknown;
  } catch (error) {
    // Such as one alias that stands for very much.
    faults.addText(`: ${(error as Error).message}`);
    faults.throwAny();
  }
  return undefined;
}

/** Likewise for a value that is no text, such as what a form sends. */
export function readMqttConfig(value: unknown, faults: ConfigFaults): MqttConfig {
  const result = mqttFields.safeParse(value ?? {}, { reportInput: true });
  if (!result.success) {
    addIssues(result.error.issues, faults);
    // So that all faults are told at once, those within the other rules too.
    checkEach(value, faults);
  }
  faults.throwAny();
  checkRules(result.data as MqttConfig, faults);
  faults.throwAny();
  return result.data as MqttConfig;
}

/** The rules whose form is right, each by itself. */
function checkEach(value: unknown, faults: ConfigFaults): void {
  const rules: unknown = memberAt(value, ["rules"]);
  if (!Array.isArray(rules)) return;
  for (const [index, each] of rules.entries()) {
    const { success, data } = ruleFields.safeParse(each);
    if (success) checkRule(data, faults.of(["rules", index]));
  }
}
