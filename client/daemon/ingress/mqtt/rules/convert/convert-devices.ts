/** The devices of an older rule file as a condition: one of them, and of each all attributes. */
import { showValue } from "../../../../../../base/error-text.ts";
import { parseCel } from "../view/cel.ts";
import { parsePath } from "../view/value-path.ts";
import type { NoteLoss, OldDevice } from "./old-file.ts";
import { celOfPython, celLiteral } from "./python-to-cel.ts";

export interface DeviceCondition {
  /** Undefined: every message is meant. */
  readonly cel: string | undefined;
  /** Whether nothing of it is missing. */
  readonly isWhole: boolean;
}

type OldAttribute = NonNullable<OldDevice["deviceAttr"]>[number];

export function conditionOfDevices(
  devices: readonly OldDevice[],
  place: string,
  note: NoteLoss,
): DeviceCondition {
  if (devices.length === 0) {
    note(`${place}.devices`, "there are none, so that the rule takes every message of its topic");
    return { cel: undefined, isWhole: true };
  }
  let isWhole = true;
  const parts = devices.map((device, index) => {
    const here = `${place}.devices[${index}]`;
    const { deviceName, deviceAttr, ...others } = device;
    for (const [key, value] of Object.entries(others))
      note(`${here}.${key}`, `is ${showValue(value)}; it has no counterpart`);
    if ((deviceAttr ?? []).length === 0) {
      note(here, `${deviceName ?? "the device"} has no attributes, so that nothing tells its messages`);
      isWhole = false;
    }
    const conditions = (deviceAttr ?? []).flatMap((attribute, at) => {
      const cel = conditionOfAttribute(attribute, `${here}.deviceAttr[${at}]`, note);
      if (cel === undefined) isWhole = false;
      return cel ?? [];
    });
    return conditions.map((each) => (/ \|\| /.test(each) ? `(${each})` : each)).join(" && ");
  });
  const given = [...new Set(parts.filter((part) => part !== ""))];
  const cel =
    given.length > 1 ? given.map((each) => (/ && /.test(each) ? `(${each})` : each)).join(" || ") : given[0];
  return { cel, isWhole };
}

/** The value stands before the expression there: `"press-3"` and `== data_to_dict['deviceName']`. */
function conditionOfAttribute(
  { attrName, attrValue, attrExpression, ...others }: OldAttribute,
  place: string,
  note: NoteLoss,
): string | undefined {
  for (const [key, value] of Object.entries(others))
    note(`${place}.${key}`, `is ${showValue(value)}; it has no counterpart`);
  const value = literalOf(attrValue);
  if (value === undefined || attrExpression === undefined) {
    note(place, `${attrName ?? "the attribute"} has no ${value === undefined ? "value" : "expression"}`);
    return undefined;
  }
  try {
    const cel = celOfPython(`${value} ${attrExpression}`);
    const { type } = parseCel(cel);
    if (type !== "bool" && type !== "dyn") throw new Error(`it gives ${type}, and no condition`);
    return cel;
  } catch (error) {
    note(
      `${place}.attrExpression`,
      `is ${showValue(attrExpression)}; not carried over: ${(error as Error).message}`,
    );
    return undefined;
  }
}

function literalOf(value: unknown): string | undefined {
  if (typeof value === "string") return celLiteral(value);
  if (typeof value === "number" && Number.isFinite(value)) return String(value);
  return typeof value === "boolean" ? (value ? "True" : "False") : undefined;
}

const equalsMember = /^\s*==\s*(\S.*)$/;

/** Path to the device's name: what the attribute `deviceName` is compared with, where all devices agree. */
export function devicePathOf(devices: readonly OldDevice[]): string | undefined {
  const paths = devices.map(({ deviceAttr }) => {
    const attribute = (deviceAttr ?? []).find(({ attrName }) => attrName === "deviceName");
    const [, member] = equalsMember.exec(attribute?.attrExpression ?? "") ?? [];
    return member === undefined ? undefined : pathOfPython(member);
  });
  const [first] = paths;
  return first !== undefined && paths.every((path) => path === first) ? first : undefined;
}

function pathOfPython(python: string): string | undefined {
  try {
    const path = celOfPython(python);
    parsePath(path, ["data"]);
    return path;
  } catch {
    return undefined;
  }
}
