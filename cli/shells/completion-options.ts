/** The options of `completion`. */
import { z } from "zod";
import { withoutFile } from "../../base/program/options.ts";
import { shells } from "./completion.ts";

export const completionOptions = z
  .strictObject({
    shell: z.enum(shells).describe("shell whose script is printed").meta({ argument: "SHELL" }),
  })
  .meta({ [withoutFile]: true });

export type CompletionOptions = z.output<typeof completionOptions>;
