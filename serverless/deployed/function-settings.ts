/**
 * What a function is defined by, as CreateFunction and UpdateFunction take it: the ranges of Function Compute's API, and
 * which fields the local host cannot do without. Fields that mean nothing on one machine are kept and given back.
 */
import { z } from "zod";
import { FcRefusal } from "../fc-refusal.ts";
import { readInput } from "./read-input.ts";

const functionName = /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/;
const runtimes = ["custom", "custom.debian10", "custom.debian11", "custom.debian12"];
const maxEnvironmentBytes = 4096;

/** A number of a range; the text of the range is the message. */
function ranged(minimum: number, maximum: number, step: number): z.ZodType<number> {
  const isOnStep = (value: number): boolean => Math.abs(value / step - Math.round(value / step)) < 1e-6;
  return z.custom<number>(
    (value) => typeof value === "number" && value >= minimum && value <= maximum && isOnStep(value),
    `${minimum} to ${maximum} in steps of ${step}`,
  );
}

const texts = z.array(z.string()).max(100);

/** A hook is a request to the function's server; its handler is only a name for it. */
function hook(
  maxTimeoutS: number,
): z.ZodType<{ handler?: string | undefined; timeout?: number | undefined }> {
  return z.looseObject({
    handler: z.string().optional(),
    timeout: ranged(1, maxTimeoutS, 1).optional(),
    command: z
      .custom<undefined>((value) => value === undefined, "none: the local host sends hooks by HTTP only")
      .optional(),
  });
}

const fields = {
  runtime: z.enum(runtimes, `${runtimes.join(", ")} (the local host runs no other)`),
  handler: z.string().max(128),
  description: z.string().max(256).optional(),
  cpu: ranged(0.05, 16, 0.05),
  memorySize: ranged(128, 32_768, 64),
  diskSize: z.custom<number>((value) => value === 512 || value === 10_240, "512 or 10240"),
  timeout: ranged(1, 86_400, 1),
  instanceConcurrency: ranged(1, 200, 1),
  environmentVariables: z
    .record(z.string().regex(/^[A-Za-z_]\w*$/, "names of letters, digits and _"), z.string())
    .refine(
      (variables) => Buffer.byteLength(Object.entries(variables).flat().join("")) <= maxEnvironmentBytes,
      `${maxEnvironmentBytes} bytes of names and values`,
    )
    .optional(),
  customRuntimeConfig: z
    .looseObject({ command: texts.optional(), args: texts.optional(), port: ranged(1, 65_535, 1).optional() })
    .optional(),
  instanceLifecycleConfig: z
    .looseObject({ initializer: hook(300).optional(), preStop: hook(90).optional() })
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

/** ASSUMED: the ratio is of GiB (1024 MB). */
function withRatio(settings: FunctionSettings): FunctionSettings {
  const ratio = settings.memorySize / 1024 / settings.cpu;
  if (ratio >= 1 && ratio <= 4) return settings;
  throw new FcRefusal(
    "InvalidArgument",
    `memorySize is ${settings.memorySize} with cpu ${settings.cpu}: ${ratio.toFixed(2)} GB for a vCPU; allowed: 1 to 4`,
  );
}
