/**
 * What `props` of a function may hold in s.yaml. Stricter than the schema of the component fc3, which lets misspelt keys
 * pass, vCPU between the steps, and memory that does not go with them: the platform refuses these, some only late.
 */
import { z } from "zod";

const mibPerGib = 1024;
const most = { vcpu: 16, memoryMib: 32_768, environmentBytes: 4096 };
const steps = Array.from({ length: most.vcpu * 20 }, (_, index) => (index + 1) / 20);

/** Floating point makes 0.35 no multiple of 0.05 for validators of JSON Schema; the list of steps does not. */
const cpu = z
  .number()
  .min(0.05)
  .max(most.vcpu)
  .refine((value) => steps.includes(value), "must be a multiple of 0.05")
  .meta({ if: { enum: steps }, else: { multipleOf: 0.05 } });

const memorySize = z.int().min(128).max(most.memoryMib).multipleOf(64);

const environmentVariables = z
  .record(z.string(), z.string())
  .refine(
    (variables) => Buffer.byteLength(Object.entries(variables).flat().join("")) <= most.environmentBytes,
    `must have at most ${most.environmentBytes} bytes of names and values`,
  );

const httpTrigger = z.strictObject({
  triggerName: z.string().min(1),
  triggerType: z.literal("http"),
  qualifier: z.string().optional(),
  description: z.string().optional(),
  triggerConfig: z.strictObject({
    authType: z.enum(["anonymous", "function", "jwt"]),
    methods: z.array(z.enum(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])).min(1),
    disableURLInternet: z.boolean().optional(),
    authConfig: z.string().optional(),
  }),
});

const hook = (longestS: number): z.ZodType =>
  z.strictObject({ handler: z.string().min(1), timeout: z.int().min(1).max(longestS) });

/** Settings that Spillway has nothing to say about: fc3 and the platform check what is in them. */
const ofTheComponent = z.union([z.string(), z.looseObject({})]).optional();

const properties = z.strictObject({
  functionName: z.string().regex(/^[A-Za-z_][A-Za-z0-9_-]{0,63}$/),
  region: z.string().regex(/^[a-z]{2}-[a-z]+(-[a-z0-9]+)*$/),
  description: z.string().max(256).optional(),
  // The package needs glibc 2.28, which the plain custom runtime (Debian 9) does not have.
  runtime: z.enum(["custom.debian10", "custom.debian11", "custom.debian12"]),
  code: z.string().min(1),
  cpu,
  memorySize,
  diskSize: z.union([z.literal(512), z.literal(10_240)]).optional(),
  timeout: z.int().min(1).max(86_400),
  instanceConcurrency: z.int().min(1).max(200),
  customRuntimeConfig: z.strictObject({
    command: z.array(z.string()).min(1),
    args: z.array(z.string()).optional(),
    port: z.int().min(1).max(65_535),
    healthCheckConfig: ofTheComponent,
  }),
  instanceLifecycleConfig: z
    .strictObject({ initializer: hook(300).optional(), preStop: hook(90).optional() })
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

/** Memory of a number of vCPU, in MiB: 1 to 4 GiB for each, within the most there is. ASSUMED: a GB of the documents is 1024 MB. */
function memoryFor(vcpu: number): { minimum: number; maximum: number } {
  return {
    minimum: Math.ceil(vcpu * mibPerGib),
    maximum: Math.min(most.memoryMib, Math.floor(vcpu * 4 * mibPerGib)),
  };
}

/** The props of one function, as s.yaml has them when its variables are filled in. */
export const functionProperties = properties
  .superRefine((given, context) => {
    const { minimum, maximum } = memoryFor(given.cpu);
    if (given.memorySize >= minimum && given.memorySize <= maximum) return;
    const message = `must be ${minimum} to ${maximum} with ${given.cpu} vCPU (1 to 4 GB for each)`;
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
