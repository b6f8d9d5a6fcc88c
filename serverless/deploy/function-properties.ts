/**
 * What `props` of a function in s.yaml may hold. It is stricter than the component fc3, which accepts misspelt keys,
 * vCPU between the steps, and memory that does not fit the vCPU; the platform refuses these, some only late.
 */
import { z } from "zod";
import {
  customRuntimes,
  functionName,
  maxTimeoutS,
  maxDescriptionLength,
  maxEnvironmentBytes,
  maxConcurrency,
  sizeLimits,
  triggerAuths,
  triggerMethods,
} from "../prices/fc-limits.ts";

const mibPerGib = 1024;
const { vcpu, memoryMib, memoryGibPerVcpu, diskMb } = sizeLimits;
const stepsPerVcpu = Math.round(1 / vcpu.step);
const steps = Array.from({ length: vcpu.max * stepsPerVcpu }, (_, index) => (index + 1) / stepsPerVcpu);

/** A list of steps, because in floating point 0.35 is not a multiple of 0.05 for validators of JSON Schema. */
const cpu = z
  .number()
  .min(vcpu.min)
  .max(vcpu.max)
  .refine((value) => steps.includes(value), `must be a multiple of ${vcpu.step}`)
  .meta({ if: { enum: steps }, else: { multipleOf: vcpu.step } });

const memorySize = z.int().min(memoryMib.min).max(memoryMib.max).multipleOf(memoryMib.step);

const environmentVariables = z
  .record(z.string(), z.string())
  .refine(
    (variables) => Buffer.byteLength(Object.entries(variables).flat().join("")) <= maxEnvironmentBytes,
    `must have at most ${maxEnvironmentBytes} bytes of names and values`,
  );

const httpTrigger = z.strictObject({
  triggerName: z.string().min(1),
  triggerType: z.literal("http"),
  qualifier: z.string().optional(),
  description: z.string().optional(),
  triggerConfig: z.strictObject({
    // The queue cannot call functions behind others, such as jwt.
    authType: z.enum(triggerAuths),
    methods: z.array(z.enum(triggerMethods)).min(1),
    disableURLInternet: z.boolean().optional(),
  }),
});

const hook = (maxS: number): z.ZodType =>
  z.strictObject({ handler: z.string().min(1), timeout: z.int().min(1).max(maxS) });

/** Settings whose content only fc3 and the platform check. */
const ofTheComponent = z.union([z.string(), z.looseObject({})]).optional();

const properties = z.strictObject({
  functionName: z.string().regex(functionName),
  region: z.string().regex(/^[a-z]{2}-[a-z]+(-[a-z0-9]+)*$/),
  description: z.string().max(maxDescriptionLength).optional(),
  // The package needs glibc 2.28, which the plain custom runtime (Debian 9) does not have.
  runtime: z.enum(customRuntimes).exclude(["custom"]),
  code: z.string().min(1),
  cpu,
  memorySize,
  diskSize: z.literal(diskMb).optional(),
  timeout: z.int().min(1).max(maxTimeoutS.call),
  instanceConcurrency: z.int().min(1).max(maxConcurrency),
  customRuntimeConfig: z.strictObject({
    command: z.array(z.string()).min(1),
    args: z.array(z.string()).optional(),
    port: z.int().min(1).max(65_535),
    healthCheckConfig: ofTheComponent,
  }),
  instanceLifecycleConfig: z
    .strictObject({
      initializer: hook(maxTimeoutS.initializer).optional(),
      preStop: hook(maxTimeoutS.preStop).optional(),
    })
    .optional(),
  environmentVariables: environmentVariables.optional(),
  layers: z
    .array(z.string().regex(/^acs:fc:[^/]+:layers\/.+$/))
    .max(5)
    .optional(),
  triggers: z.array(httpTrigger).max(50).optional(),
  internetAccess: z.boolean().optional(),
  role: z.string().optional(),
  logConfig: ofTheComponent,
  vpcConfig: ofTheComponent,
  nasConfig: ofTheComponent,
  ossMountConfig: ofTheComponent,
  asyncInvokeConfig: ofTheComponent,
  concurrencyConfig: ofTheComponent,
  scalingConfig: ofTheComponent,
  provisionConfig: ofTheComponent,
});

/** The memory in MiB that goes with a number of vCPU. */
function memoryFor(cpuCount: number): { minimum: number; maximum: number } {
  const { min, max } = memoryGibPerVcpu;
  return {
    minimum: Math.ceil(cpuCount * min * mibPerGib),
    maximum: Math.min(memoryMib.max, Math.floor(cpuCount * max * mibPerGib)),
  };
}

/** The props of one function in s.yaml, once its variables are replaced. */
export const functionProperties = properties
  .superRefine((given, context) => {
    const { minimum, maximum } = memoryFor(given.cpu);
    if (given.memorySize >= minimum && given.memorySize <= maximum) return;
    const message = `must be ${minimum} to ${maximum} with ${given.cpu} vCPU (${memoryGibPerVcpu.min} to ${memoryGibPerVcpu.max} GB for each)`;
    context.addIssue({ code: "custom", path: ["memorySize"], message });
  })
  .meta({
    allOf: steps.map((step) => ({
      if: { type: "object", properties: { cpu: { const: step } }, required: ["cpu"] },
      // oxlint-disable-next-line unicorn/no-thenable
      then: { type: "object", properties: { memorySize: { type: "integer", ...memoryFor(step) } } },
    })),
  });

export type FunctionProperties = z.output<typeof functionProperties>;

/** The same rules as JSON Schema (draft 7), for validators such as that of `s verify`. */
export function functionPropertiesSchema(): object {
  return z.toJSONSchema(functionProperties, {
    target: "draft-7",
    io: "input",
    override: ({ jsonSchema }) => {
      if (jsonSchema.additionalProperties !== false) return;
      // For an unknown key `s verify` does not print its name, but for a wrong value it prints the place.
      const known = Object.keys(jsonSchema.properties ?? {}).join("|");
      jsonSchema.patternProperties = { [`^(?!(${known})$)`]: { not: {} } };
    },
  });
}

/** @throws Error with a line for each value that is not allowed */
export function readFunctionProperties(given: unknown): FunctionProperties {
  const result = functionProperties.safeParse(given);
  if (result.success) return result.data;
  throw new Error(
    result.error.issues.map(({ path, message }) => `${["props", ...path].join(".")}: ${message}`).join("\n"),
  );
}
