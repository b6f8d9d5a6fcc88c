/** Compiles how a rule makes requests: its inputs, windows and parameters. */
import { createHash } from "node:crypto";
import { showValue } from "../../../../../base/error-text.ts";
import type { ParameterValue, Tensor } from "../../../../../protocol/tensor.ts";
import { findIn, filledText, parseTemplate, placeholderOf, type TextTemplate } from "./answer/template.ts";
import type { Built, RuleRequest } from "./compiled-rule.ts";
import type { NoteConfigFault } from "./config/config-faults.ts";
import type { RuleConfig } from "./config/rule-fields.ts";
import type { MqttMessage } from "./message.ts";
import { DeviceWindows, type StepMark, type StepRows } from "./values/device-windows.ts";
import { compileInput, type PlainInput, type WindowedInput } from "./values/input-maker.ts";
import { MessageError } from "./view/message-error.ts";
import type { MessageView } from "./view/message-view.ts";
import { parsePath, type ValuePath } from "./view/value-path.ts";

/** Most characters of what tells messages of a device apart. */
const mostMarkChars = 256;
/** Bytes of a value in a window, at least. */
const valueBytes = 16;

export interface CompiledRequest {
  readonly newState: () => DeviceWindows;
  /** @throws MessageError */
  readonly build: (message: MqttMessage, view: MessageView, state: DeviceWindows) => Built;
}

/**
 * @param roots the names with which paths may begin
 * @returns undefined when faults were noted
 */
export function compileRequest(
  rule: RuleConfig,
  roots: readonly string[],
  note: NoteConfigFault,
): CompiledRequest | undefined {
  const inputs: (PlainInput | WindowedInput)[] = [];
  const names = new Set<string>();
  for (const [index, input] of rule.inputs.entries()) {
    const noteInput: NoteConfigFault = (steps, text) => note(["inputs", index, ...steps], text);
    if (names.has(input.name))
      noteInput(["name"], `is ${showValue(input.name)}, as an input before is; allowed: names that differ`);
    names.add(input.name);
    const compiled = compileInput(input, roots, noteInput);
    if (compiled !== undefined) inputs.push(compiled);
  }
  const parameters = parametersOf(rule.parameters, roots, note);
  const windowed = inputs.filter(({ kind }) => kind === "windowed") as WindowedInput[];
  const steps = Math.max(0, ...windowed.map((each) => each.steps));
  if (steps > 0 && rule.device === undefined)
    note(["device"], "is missing; a window needs to know which device a message is from");
  const least = steps * valueBytes * windowed.length;
  if (least > rule.windows.mostBytes)
    note(
      ["windows", "mostBytes"],
      `is ${rule.windows.mostBytes}; a window of this rule takes ${least} or more`,
    );
  const same = pathAt(rule.windows.same, roots, (text) => note(["windows", "same"], text));
  if (inputs.length < rule.inputs.length) return undefined;
  const { mostDevices, mostBytes, maxAge } = rule.windows;
  const maxAgeMs = maxAge === undefined ? undefined : maxAge * 1_000;
  return {
    newState: () => new DeviceWindows({ mostDevices, mostBytes, maxAgeMs, steps }),
    build: (message, view, state) => {
      checkDevice(rule, view);
      const head = headOf(rule, view, parameters);
      const rows = windowed.map((input) => input.valuesOf(view));
      // Made before the window counts the message, so that a bad one is not in it.
      const plain = inputs.map((input) => (input.kind === "plain" ? input.make(view) : undefined));
      if (rows.length === 0) return requestOf(head, plain as Tensor[]);
      const mark = markOf(message, view, same);
      const window = state.take(message, view.device ?? "", mark, rows);
      if (window.length < steps) return { kind: "waiting", have: window.length, need: steps };
      return requestOf(head, withWindows(inputs, plain, window));
    },
  };
}

function checkDevice({ device }: RuleConfig, view: MessageView): void {
  if (device === undefined || view.device !== undefined) return;
  throw new MessageError("bad_device", `${device} is no name of a device; allowed: a text of 1 to 256 bytes`);
}

type RequestHead = Omit<RuleRequest, "inputs">;

function headOf(
  { model, lane, deadline, outputs }: RuleConfig,
  view: MessageView,
  parameters: ReadonlyMap<string, TextTemplate | ParameterValue>,
): RequestHead {
  return {
    model: model.name,
    ...(model.version !== undefined && { version: model.version }),
    ...(outputs !== undefined && { outputs: outputs.map((name) => ({ name })) }),
    parameters: Object.fromEntries(
      Array.from(parameters, ([name, value]) => [
        name,
        typeof value === "object" ? filledParameter(value, view) : value,
      ]),
    ),
    ...(lane !== undefined && { lane }),
    ...(deadline !== undefined && { deadlineMs: deadline * 1_000 }),
    ...(view.device !== undefined && { device: view.device }),
  };
}

function requestOf(head: RequestHead, inputs: Tensor[]): Built {
  return { kind: "request", request: { ...head, inputs } };
}

/** Each windowed input takes as many of the last steps as it has. */
function withWindows(
  inputs: readonly (PlainInput | WindowedInput)[],
  plain: readonly (Tensor | undefined)[],
  window: readonly StepRows[],
): Tensor[] {
  let row = 0;
  return inputs.map((input, index) => {
    if (input.kind === "plain") return plain[index] as Tensor;
    const at = row++;
    return input.make(window.slice(-input.steps).map((rows) => rows[at] ?? []));
  });
}

function markOf(
  { topic, payload, dup }: MqttMessage,
  view: MessageView,
  same: ValuePath | undefined,
): StepMark {
  if (same === undefined) {
    const mark = createHash("sha256").update(topic).update("\0").update(payload).digest("base64");
    return { mark, mayBeAgain: dup };
  }
  const found = findIn(same, view);
  const isMark = typeof found === "string" || typeof found === "number" || typeof found === "bigint";
  const mark = isMark ? String(found) : "";
  if (mark === "" || mark.length > mostMarkChars) {
    const reason = found === undefined || found === null ? "missing_point" : "wrong_type";
    throw new MessageError(
      reason,
      `${same.text} is ${showValue(found)}; allowed: a text or number of 1 to ${mostMarkChars} characters`,
    );
  }
  return { mark, mayBeAgain: true };
}

function pathAt(
  text: string | undefined,
  roots: readonly string[],
  note: (text: string) => void,
): ValuePath | undefined {
  if (text === undefined) return undefined;
  try {
    return parsePath(text, roots);
  } catch (error) {
    note(`is ${showValue(text)}; ${(error as Error).message}`);
    return undefined;
  }
}

function parametersOf(
  parameters: RuleConfig["parameters"],
  roots: readonly string[],
  note: NoteConfigFault,
): ReadonlyMap<string, TextTemplate | ParameterValue> {
  const compiled = new Map<string, TextTemplate | ParameterValue>();
  for (const [name, value] of Object.entries(parameters)) {
    try {
      compiled.set(name, typeof value === "string" ? parseTemplate(value, roots) : value);
    } catch (error) {
      note(["parameters", name], `is ${showValue(value)}; ${(error as Error).message}`);
    }
  }
  return compiled;
}

/** A placeholder alone keeps its type where a parameter may have it. */
function filledParameter(template: TextTemplate, view: MessageView): ParameterValue {
  const only = placeholderOf(template);
  const found = only === undefined ? undefined : findIn(only, view);
  if (typeof found === "number" && Number.isFinite(found)) return found;
  return typeof found === "boolean" || typeof found === "bigint" ? found : filledText(template, view);
}
