/**
 * The settings of a function as CreateFunction and UpdateFunction take them, checked against the ranges of Function
 * Compute's API and of the local host. Fields without a meaning here are kept and returned.
 */
import { z } from "zod";
import {
  customRuntimes,
  functionName,
  maxTimeoutS,
  maxConcurrency,
  maxDescriptionLength,
  maxEnvironmentBytes,
  sizeLimits,
} from "../../prices/fc-limits.ts";
import { FcRefusal } from "../fc-refusal.ts";
import { readInput } from "./read-input.ts";

/** A number in a range; the message is the range. */
function ranged({ min, max, step }: { min: number; max: number; step: number }): z.ZodType<number> {
  const isOnStep = (value: number): boolean => Math.abs(value / step - Math.round(value / step)) < 1e-6;
  return z.custom<number>(
    (value) => typeof value === "number" && value >= min && value <= max && isOnStep(value),
    `${min} to ${max} in steps of ${step}`,
  );
}

const upTo = (max: number): z.ZodType<number> => ranged({ min: 1, max, step: 1 });

const texts = z.array(z.string()).max(100);

/** A lifecycle hook, which is an HTTP request to the function's server; the handler is a name without a meaning. */
const hook = (maxTimeoutS: number) =>
  z.looseObject({
    handler: z.string().optional(),
    timeout: upTo(maxTimeoutS).optional(),
    command: z.undefined("none: the local host sends hooks by HTTP only").optional(),
  });

const fields = {
  runtime: z.enum(customRuntimes, `${customRuntimes.join(", ")} (the local host runs no other)`),
  handler: z.string().max(128),
  description: z.string().max(maxDescriptionLength).optional(),
  /** vCPU. */
  cpu: ranged(sizeLimits.vcpu),
  /** MiB. */
  memorySize: ranged(sizeLimits.memoryMib),
  diskSize: z.literal(sizeLimits.diskMb, sizeLimits.diskMb.join(" or ")),
  /** Seconds, like the timeouts of hooks. */
  timeout: upTo(maxTimeoutS.call),
  instanceConcurrency: upTo(maxConcurrency),
  environmentVariables: z
    .record(z.string().regex(/^[A-Za-z_]\w*$/, "names of letters, digits and _"), z.string())
    .refine(
      (variables) => Buffer.byteLength(Object.entries(variables).flat().join("")) <= maxEnvironmentBytes,
      `${maxEnvironmentBytes} bytes of names and values`,
    )
    .optional(),
  customRuntimeConfig: z
    .looseObject({ command: texts.optional(), args: texts.optional(), port: upTo(65_535).optional() })
    .optional(),
  instanceLifecycleConfig: z
    .looseObject({
      initializer: hook(maxTimeoutS.initializer).optional(),
      preStop: hook(maxTimeoutS.preStop).optional(),
    })
    .optional(),
  /** ARNs. */
  layers: texts.optional(),
};

/** Code is a zip in base64, because a local host has no object storage. */
const code = z.looseObject({
  zipFile: z.string("a zip in base64 (the local host has no OSS)"),
  checksum: z.string().optional(),
});

const createInput = z.looseObject({
  ...fields,
  functionName: z.string().regex(functionName, `${functionName}`),
  // The API's defaults.
  handler: fields.handler.default("index.handler"),
  cpu: fields.cpu.default(0.35),
  memorySize: fields.memorySize.default(512),
  diskSize: fields.diskSize.default(512),
  timeout: fields.timeout.default(3),
  instanceConcurrency: fields.instanceConcurrency.default(1),
  code,
});
const updateInput = z.looseObject({ ...fields, code }).partial();

export type CodeInput = z.output<typeof code>;

/** The fields that the host reads; beside them, whatever else was given. */
export type FunctionSettings = Readonly<
  Omit<z.output<z.ZodObject<typeof fields>>, "diskSize"> & { functionName: string }
>;

/** @throws FcRefusal InvalidArgument that names field, value and allowed range */
export function readCreate(body: Uint8Array): { settings: FunctionSettings; code: CodeInput } {
  const { code: given, ...settings } = readInput(createInput, body);
  checkRatio(settings);
  return { settings, code: given };
}

/** @throws FcRefusal InvalidArgument that names field, value and allowed range */
export function readUpdate(
  body: Uint8Array,
  old: FunctionSettings,
): { settings: FunctionSettings; code: CodeInput | undefined } {
  const { code: given, ...changed } = readInput(updateInput, body);
  // The cast is safe: JSON has no undefined, so no field of `changed` is.
  const settings = { ...old, ...changed, functionName: old.functionName } as FunctionSettings;
  checkRatio(settings);
  return { settings, code: given };
}

function checkRatio({ memorySize, cpu }: FunctionSettings): void {
  const ratio = memorySize / 1024 / cpu;
  const { min, max } = sizeLimits.memoryGibPerVcpu;
  if (ratio >= min && ratio <= max) return;
  throw new FcRefusal(
    "InvalidArgument",
    `memorySize is ${memorySize} with cpu ${cpu}: ${ratio.toFixed(2)} GB for a vCPU; allowed: ${min} to ${max}`,
  );
}
