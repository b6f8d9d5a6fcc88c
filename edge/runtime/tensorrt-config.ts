/** The settings of the TensorRT provider in a model's `config.yaml`. Replicas take them as read, without zod. */
import { z } from "zod";

const absolute = z.string().regex(/^\/./, "allowed: an absolute path of a folder");

export const tensorrtConfig = z.strictObject({
  engineCache: absolute
    .optional()
    .describe("folder, made where it is missing, that keeps built engines, so that a later start is quick"),
  fp16: z.boolean().optional().describe("whether engines may calculate with half precision"),
  workspaceMib: z
    .number()
    .int()
    .min(1)
    .max(1_048_576)
    .optional()
    .describe("most memory that TensorRT may use while it works, in MiB"),
});

export type TensorrtConfig = Readonly<z.output<typeof tensorrtConfig>>;
