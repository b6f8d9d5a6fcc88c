/** What `support:` says: programs of the user's own that run beside the models. */
import { z } from "zod";
import { parseSettings } from "../models/parse-settings.ts";

const variables = z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string());

const program = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, "allowed: letters, digits, - and _")
    .optional(),
  command: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]),
  everyS: z.number().positive().max(31_536_000).optional(),
  env: variables.default({}),
  folder: z.string().min(1).optional(),
});

/** Most programs of a server. */
const mostPrograms = 32;

/** A program that runs beside the models. */
export interface SupportProgram {
  readonly name: string;
  /** The program and its arguments. */
  readonly command: readonly string[];
  /** Undefined for one that runs all the time. */
  readonly everyMs: number | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly folder: string | undefined;
}

/** A list in a file, or the same as JSON. A command that is a text is run by the shell. */
export const supportPrograms = z
  .union([z.string(), z.array(z.unknown())])
  .transform((given, context): readonly SupportProgram[] => {
    try {
      const listed = typeof given === "string" ? (JSON.parse(given) as unknown) : given;
      return programsIn(listed);
    } catch (error) {
      const why = (error as Error).message.replaceAll("\n", "; ");
      context.addIssue(
        `a list of programs, each with its command: [{ command: [PROGRAM, ...], everyS: 60 }]; ${why}`,
      );
      return z.NEVER;
    }
  });

function programsIn(listed: unknown): SupportProgram[] {
  if (!Array.isArray(listed) || listed.length > mostPrograms)
    throw new Error(`allowed: a list of at most ${mostPrograms}`);
  const programs = listed.map((each: unknown, index): SupportProgram => {
    const { name, command, everyS, env, folder } = parseSettings(program, each, `program ${index + 1}`);
    return {
      name: name ?? `support-${index + 1}`,
      command: typeof command === "string" ? ["/bin/sh", "-c", command] : command,
      everyMs: everyS === undefined ? undefined : 1_000 * everyS,
      env,
      folder,
    };
  });
  const twice = programs.find(
    ({ name }, index) => programs.findIndex((each) => each.name === name) !== index,
  );
  if (twice !== undefined) throw new Error(`two programs are called "${twice.name}"`);
  return programs;
}
