/** The devices of an older rule file as a condition: one of them, and of each all attributes. */
import { showValue } from "../../../../../../base/error-text.ts";
import { parseCel } from "../view/cel.ts";
import { parsePath } from "../view/value-path.ts";
import type { NoteLoss, OldDevice, OldFunction } from "./old-file.ts";
import { celOfPython, celLiteral } from "./python-to-cel.ts";

export interface DeviceCondition {
  /** Undefined: every message is meant. */
  readonly cel: string | undefined;
  /** Whether nothing of it is missing. */
  readonly isWhole: boolean;
}

type OldAttribute = NonNullable<OldDevice["deviceAttr"]>[number];

const usual = {
  deviceName: "== data_to_dict['deviceInfo']['deviceName']",
  pointName: "in data_to_dict['telemetry']",
} as const;

/** The devices of a function, also of one that names a device and a point itself. */
export function devicesOf(
  { devices, deviceName, pointName }: OldFunction,
  place: string,
  note: NoteLoss,
): OldDevice[] {
  const given = devices ?? [];
  if (given.length === 0 && (deviceName !== undefined || pointName !== undefined))
    return [withAttributes({ deviceName, pointName }, place, note)];
  return given.map((device, index) =>
    (device.deviceAttr ?? []).length > 0
      ? device
      : withAttributes(device, `${place}.devices[${index}]`, note),
  );
}

/** Earlier files have names and expressions beside each other, or names alone. */
function withAttributes(device: OldDevice, place: string, note: NoteLoss): OldDevice {
  const { deviceName, pointName, deviceParseExpression, pointParseExpression } = device;
  const deviceAttr = [
    {
      attrName: "deviceName",
      attrValue: deviceName,
      attrExpression: deviceParseExpression ?? usual.deviceName,
    },
    { attrName: "pointName", attrValue: pointName, attrExpression: pointParseExpression ?? usual.pointName },
  ].filter(({ attrValue }) => attrValue !== undefined);
  const isGuessed =
    (deviceName !== undefined && deviceParseExpression === undefined) ||
    (pointName !== undefined && pointParseExpression === undefined);
  if (isGuessed)
    note(
      place,
      "names its device or point without saying where in the message it is; taken as data.deviceInfo.deviceName and data.telemetry",
    );
  return { ...device, deviceAttr };
}

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
    const { deviceName, deviceAttr, ...more } = device;
    const { deviceParseExpression: _, pointName: __, pointParseExpression: ___, ...others } = more;
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

/** An expression without its left side; a whole one needs no value. */
const isComparison = /^\s*(?:[=!<>]=|[<>]|in\b|not\s+in\b|is\b)/;

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
    const cel = celOfPython(
      isComparison.test(attrExpression) ? `${value} ${attrExpression}` : attrExpression,
    );
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
