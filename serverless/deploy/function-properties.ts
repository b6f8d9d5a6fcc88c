/**
 * What `props` of a function may hold in s.yaml. Stricter than the schema of the component fc3, which lets misspelt keys
 * pass, vCPU between the steps, and memory that does not go with them: the platform refuses these, some only late.
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
  triggerMethods,
} from "../prices/fc-limits.ts";
import { triggerAuths } from "../host/fc-contract.ts";

const mibPerGib = 1024;
const { vcpu, memoryMib, memoryGibPerVcpu, diskMb } = sizeLimits;
const stepsPerVcpu = Math.round(1 / vcpu.step);
const steps = Array.from({ length: vcpu.max * stepsPerVcpu }, (_, index) => (index + 1) / stepsPerVcpu);

/** Floating point makes 0.35 no multiple of 0.05 for validators of JSON Schema; the list of steps does not. */
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
    // Of the others, such as jwt, nothing here knows how to call them.
    authType: z.enum(triggerAuths),
    methods: z.array(z.enum(triggerMethods)).min(1),
    disableURLInternet: z.boolean().optional(),
  }),
});

const hook = (longest: number): z.ZodType =>
  z.strictObject({ handler: z.string().min(1), timeout: z.int().min(1).max(longest) });

/** Settings that Spillway has nothing to say about: fc3 and the platform check what is in them. */
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
  timeout: z.int().min(1).max(longestS.call),
  instanceConcurrency: z.int().min(1).max(mostConcurrency),
  customRuntimeConfig: z.strictObject({
    command: z.array(z.string()).min(1),
    args: z.array(z.string()).optional(),
    port: z.int().min(1).max(65_535),
    healthCheckConfig: ofTheComponent,
  }),
  instanceLifecycleConfig: z
    .strictObject({
      initializer: hook(longestS.initializer).optional(),
      preStop: hook(longestS.preStop).optional(),
    })
    .optional(),
  environmentVariables: environmentVariables.optional(),
  layers: z
    .array(z.string().regex(/^acs:fc:.+:layers\/.+$/))
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

/** Memory of a number of vCPU, in MiB, within the most there is. */
function memoryFor(count: number): { minimum: number; maximum: number } {
  const { min, max } = memoryGibPerVcpu;
  return {
    minimum: Math.ceil(count * min * mibPerGib),
    maximum: Math.min(memoryMib.max, Math.floor(count * max * mibPerGib)),
  };
}

/** The props of one function, as s.yaml has them when its variables are filled in. */
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

/** The same as JSON Schema (draft 7), for validators such as that of `s verify`. */
export function functionPropertiesSchema(): object {
  return z.toJSONSchema(functionProperties, {
    target: "draft-7",
    io: "input",
    override: ({ jsonSchema }) => {
      if (jsonSchema.additionalProperties !== false) return;
      // What `s verify` prints of an unknown key leaves out its name, but not where a value is wrong.
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
