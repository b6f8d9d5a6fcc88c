/**
 * A profile: what was measured of the targets, as data. A user keeps it as a file, a record has it in its
 * header, and a policy's inputs are made from it. Its times have the form that a scenario of a replay has.
 */
import { z } from "zod";
import { schemaFaults } from "../../base/program/schema-fault.ts";
import { InputError } from "../../base/usage-error.ts";

const ms = z.number().min(0);

const modelTimes = z
  .strictObject({
    /** Bytes of a request of one row. */
    requestBytes: z.number().min(0),
    /** Present when nobody measured these times: they are a guess. */
    isAssumed: z.literal(true).optional(),
    /** Rows of the largest batch that was measured. */
    maxBatch: z.number().int().min(1),
    /** Service times by rows of the batch, in milliseconds. */
    serviceMs: z.record(
      z.string().regex(/^[1-9]\d*$/, "a batch size, an integer from 1"),
      z.array(ms).min(1),
    ),
  })
  .refine(({ maxBatch, serviceMs }) => maxBatch <= Math.max(0, ...Object.keys(serviceMs).map(Number)), {
    path: ["maxBatch"],
    message: "the last size that has service times, or less",
  });

const target = {
  name: z.string().min(1),
  /** Batches that the target serves at once. */
  replicas: z.number().int().min(1),
  link: z.strictObject({ rttMs: ms, uplinkMbps: z.number().positive() }),
  /** Observed cold starts, in milliseconds. */
  coldStartMs: z.array(ms),
  /** By model name. */
  models: z.record(z.string(), modelTimes),
};

const profile = z.strictObject({
  format: z.literal("spillway-profile/1"),
  targets: z.array(
    z.discriminatedUnion("kind", [
      z.strictObject({ ...target, kind: z.literal("edge") }),
      z.strictObject({
        ...target,
        kind: z.literal("serverless"),
        vcpu: z.number().positive(),
        memoryMib: z.number().positive(),
      }),
    ]),
  ),
});

export type ModelTimes = z.output<typeof modelTimes>;
export type Profile = z.output<typeof profile>;
export type ProfiledTarget = Profile["targets"][number];

/**
 * Reads a profile and checks it.
 *
 * @example
 * const { targets } = parseProfile(readFileSync("profile.json", "utf8"), "profile.json");
 * targets[0].models["ocr-cls"].maxBatch; // 16
 *
 * @param file name of the profile, for messages
 * @throws InputError that names the file and the field, or says why the text is not JSON
 */
export function parseProfile(text: string, file: string): Profile {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new InputError(file, "", (error as Error).message);
  }
  const result = profile.safeParse(content);
  if (result.success) return result.data;
  if (typeof content === "object" && content !== null && "sloMs" in content && !("targets" in content))
    throw new InputError(file, "", "this is a scenario, for replay; spillway profile --save makes a profile");
  const [issue] = result.error.issues as [z.core.$ZodIssue];
  const [{ path, text: why } = { path: [], text: issue.message }] = schemaFaults(profile, content, [issue]);
  throw new InputError(file, "", `${path.length === 0 ? "the profile" : path.join(".")} ${why}`);
}

/**
 * A target's times for a model; when it has none, those of its first model.
 *
 * @throws RangeError when it has no model
 */
export function timesOf({ name, models }: ProfiledTarget, model: string): ModelTimes {
  const times = models[model] ?? Object.values(models)[0];
  if (times === undefined) throw new RangeError(`target ${name} of the profile has no model`);
  return times;
}
