/** The options of a function, and the port on which it listens. */
import { z } from "zod";

export const functionOptions = z.strictObject({
  host: z.string().default("0.0.0.0").describe("address to listen on; the platform asks for 0.0.0.0"),
  models: z
    .string()
    .optional()
    .describe("model repository: a folder of NAME/VERSION/model.onnx; without it the embedded OCR models"),
  threads: z.number().int().min(1).max(256).default(1).describe("threads that one run of a model uses"),
});

export type FunctionOptions = z.output<typeof functionOptions>;

/** Where platforms name the port on which a function listens; the first one that is set counts. */
const portVariables = ["FC_SERVER_PORT", "FC_CUSTOM_LISTEN_PORT", "PORT"];
const defaultPort = 9_000;

/** @throws Error that names the variable when it holds no port */
export function functionPort(env: Readonly<Record<string, string | undefined>>): number {
  const variable = portVariables.find((name) => env[name] !== undefined && env[name] !== "");
  if (variable === undefined) return defaultPort;
  const port = Number(env[variable]);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new Error(`${variable} is "${env[variable]}"; allowed: an integer, 0 to 65535`);
}
