/** The parameters of requests, tensors and answers, whose values gRPC tells apart by type. */
import { ProtocolError } from "../errors.ts";
import { showValue } from "../../base/error-text.ts";
import type { Parameters, ParameterValue } from "../tensor.ts";

/** 64 bits as protobufjs reads them. It writes numbers as well, as far as they state an integer exactly. */
export interface Int64 {
  readonly low: number;
  readonly high: number;
  readonly unsigned?: boolean;
}

/** A value of the type that its one field names. */
export interface GrpcParameter {
  readonly bool_param?: boolean;
  readonly int64_param?: Int64 | number;
  readonly string_param?: string;
  readonly double_param?: number;
  readonly uint64_param?: Int64 | number;
  /** The name of the field; undefined in a message that was not read. */
  readonly parameter_choice?: keyof GrpcParameter;
}

export type GrpcParameters = Readonly<Record<string, GrpcParameter>>;

/**
 * @param place starts every error
 * @throws ProtocolError for a parameter without a value, and for NaN and the infinities
 */
export function fromGrpcParameters(given: GrpcParameters | undefined, place: string): Parameters {
  return Object.fromEntries(
    Object.entries(given ?? {}).map(([name, parameter]) => [
      name,
      valueOf(parameter, `${place}[${showValue(name)}]`),
    ]),
  );
}

/** An entry without a value comes as null. */
function valueOf(parameter: GrpcParameter | null, place: string): ParameterValue {
  const value = parameter?.parameter_choice === undefined ? undefined : parameter[parameter.parameter_choice];
  if (value === undefined) throw new ProtocolError(`${place} has no value; allowed: one of a known type`);
  if (typeof value === "object") return integerIn(value);
  if (typeof value === "number" && !Number.isFinite(value))
    throw new ProtocolError(`${place} is ${value}; allowed: finite numbers`);
  return value;
}

/** The integer, as a number where a number states it. */
export function integerIn(value: Int64 | number): number | bigint {
  if (typeof value === "number") return value;
  const { low, high, unsigned = false } = value;
  const number = (unsigned ? high >>> 0 : high) * 2 ** 32 + (low >>> 0);
  if (Number.isSafeInteger(number)) return number;
  const top = BigInt(unsigned ? high >>> 0 : high);
  return (top << 32n) | BigInt(low >>> 0);
}

/** An integer of 64 bits, in the form that protobufjs writes. */
export function int64Of(value: bigint): Int64 {
  return {
    low: Number(BigInt.asIntN(32, value)),
    high: Number(BigInt.asIntN(32, value >> 32n)),
    unsigned: value >= 2n ** 63n,
  };
}

/** Times are doubles even when they are whole, so that a field does not change its type from answer to answer. */
const isTime = /_ms$/;

/** Integers beyond 64 bits become doubles. */
export function toGrpcParameters(parameters: Parameters | undefined): GrpcParameters {
  return Object.fromEntries(
    Object.entries(parameters ?? {}).map(([name, value]) => [name, parameterOf(name, value)]),
  );
}

function parameterOf(name: string, value: ParameterValue): GrpcParameter {
  if (typeof value === "boolean") return { bool_param: value };
  if (typeof value === "string") return { string_param: value };
  if (typeof value === "number")
    return Number.isSafeInteger(value) && !Object.is(value, -0) && !isTime.test(name)
      ? { int64_param: value }
      : { double_param: value };
  if (BigInt.asIntN(64, value) === value) return { int64_param: int64Of(value) };
  if (BigInt.asUintN(64, value) === value) return { uint64_param: int64Of(value) };
  return { double_param: Number(value) };
}
