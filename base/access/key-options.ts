/** The options of the command that makes API keys. */
import { z } from "zod";
import { optionalText, positive } from "../program/option-fields.ts";
import { keyName, scopes } from "./api-keys.ts";

export const apiKeyOptions = z.strictObject({
  name: keyName.describe("name of the key in logs and metrics"),
  scopes: z
    .array(z.enum(scopes))
    .min(1)
    .default(["infer"])
    .describe("what its holder may do: infer, admin (look after models and server), metrics (read them)"),
  requestsPerS: positive(1e9)
    .optional()
    .describe("most requests a second, on average (default: 100, when no rate is given)"),
  rowsPerS: positive(1e9).optional().describe("most rows a second, on average (default: no limit)"),
  burst: z
    .number()
    .min(1)
    .max(1e9)
    .optional()
    .describe("most requests, and most rows, at once (default: those of a second, at least 1)"),
  file: optionalText.describe("file of API keys to append to (default: the line is printed)"),
});

export type ApiKeyOptions = z.output<typeof apiKeyOptions>;
