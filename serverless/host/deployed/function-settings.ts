/**
 * What a function is defined by, as CreateFunction and UpdateFunction take it: the ranges of Function Compute's API, and
 * which fields the local host cannot do without. Fields that mean nothing on one machine are kept and given back.
 */
import { z } from "zod";
import {
  customRuntimes,
  functionName,
  longestS,
  maxDescriptionLength,
  maxEnvironmentBytes,
  mostConcurrency,
  sizeLimits,
} from "../../prices/fc-limits.ts";
import { FcRefusal } from "../fc-refusal.ts";
import { readInput } from "./read-input.ts";

interface Range {
  readonly min: number;
  readonly max: number;
  readonly step: number;
}

/** A number of a range; the text of the range is the message. */
function ranged({ min, max, step }: Range): z.ZodType<number> {
  const isOnStep = (value: number): boolean => Math.abs(value / step - Math.round(value / step)) < 1e-6;
  return z.custom<number>(
    (value) => typeof value === "number" && value >= min && value <= max && isOnStep(value),
    `${min} to ${max} in steps of ${step}`,
  );
}

const upTo = (max: number): z.ZodType<number> => ranged({ min: 1, max, step: 1 });

const texts = z.array(z.string()).max(100);

/** A hook is a request to the function's server; its handler is only a name for it. */
function hook(
  maxTimeoutS: number,
): z.ZodType<{ handler?: string | undefined; timeout?: number | undefined }> {
  return z.looseObject({
    handler: z.string().optional(),
    timeout: upTo(maxTimeoutS).optional(),
    command: z
      .custom<undefined>((value) => value === undefined, "none: the local host sends hooks by HTTP only")
      .optional(),
  });
}

const fields = {
  runtime: z.enum(customRuntimes, `${customRuntimes.join(", ")} (the local host runs no other)`),
  handler: z.string().max(128),
  description: z.string().max(maxDescriptionLength).optional(),
  cpu: ranged(sizeLimits.vcpu),
  memorySize: ranged(sizeLimits.memoryMib),
  diskSize: z.literal(sizeLimits.diskMb, sizeLimits.diskMb.join(" or ")),
  timeout: upTo(longestS.call),
  instanceConcurrency: upTo(mostConcurrency),
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
      initializer: hook(longestS.initializer).optional(),
      preStop: hook(longestS.preStop).optional(),
    })
    .optional(),
  layers: texts.optional(),
};

/** Code comes as a zip in base64: a local host has no object storage. */
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

interface Hook {
  readonly timeout?: number | undefined;
}

/** Beside these, whatever else was given. */
export interface FunctionSettings {
  readonly functionName: string;
  readonly runtime: string;
  readonly handler: string;
  /** vCPU. */
  readonly cpu: number;
  /** MiB. */
  readonly memorySize: number;
  /** Seconds, as those of the hooks. */
  readonly timeout: number;
  readonly instanceConcurrency: number;
  readonly environmentVariables?: Readonly<Record<string, string>> | undefined;
  readonly customRuntimeConfig?:
    | { readonly command?: readonly string[] | undefined; readonly args?: readonly string[] | undefined }
    | undefined;
  /** ARNs. */
  readonly layers?: readonly string[] | undefined;
  readonly instanceLifecycleConfig?:
    | { readonly initializer?: Hook | undefined; readonly preStop?: Hook | undefined }
    | undefined;
}

/** @throws FcRefusal InvalidArgument that names field, value and allowed range */
export function readCreate(body: Uint8Array): {
  readonly settings: FunctionSettings;
  readonly code: CodeInput;
} {
  const { code: given, ...settings } = readInput(createInput, body);
  return { settings: withRatio(settings), code: given };
}

/** @throws FcRefusal InvalidArgument that names field, value and allowed range */
export function readUpdate(
  body: Uint8Array,
  old: FunctionSettings,
): { readonly settings: FunctionSettings; readonly code: CodeInput | undefined } {
  const { code: given, ...changed } = readInput(updateInput, body);
  // JSON holds no undefined, which is all that this may be but FunctionSettings.
  const settings = { ...old, ...changed, functionName: old.functionName } as FunctionSettings;
  return { settings: withRatio(settings), code: given };
}

function withRatio(settings: FunctionSettings): FunctionSettings {
  const ratio = settings.memorySize / 1024 / settings.cpu;
  const { min, max } = sizeLimits.memoryGibPerVcpu;
  if (ratio >= min && ratio <= max) return settings;
  throw new FcRefusal(
    "InvalidArgument",
    `memorySize is ${settings.memorySize} with cpu ${settings.cpu}: ${ratio.toFixed(2)} GB for a vCPU; allowed: ${min} to ${max}`,
  );
}
