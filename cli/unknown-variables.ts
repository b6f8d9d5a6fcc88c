/** Refuses environment variables that are spelt like ours and are none, which else would have no effect. */
import type { z } from "zod";
import { didYouMean } from "../base/error-text.ts";
import { environmentNames } from "../base/program/option-schema.ts";
import { UsageError } from "../base/usage-error.ts";
import { commands } from "./commands.ts";

/** Variables that no option has: the file of all options, those of the deployment, and of tests. */
const others = /^SPILLWAY_(?:CONFIG|FC_[A-Z_]+|SOAK_S|SEEDS)$/;
/** What Kubernetes sets for a service that is called "spillway". */
const serviceLinks = /_(?:SERVICE_(?:HOST|PORT)|PORT_\d{1,5}_(?:TCP|UDP|SCTP))(?:_.|$)/;

/**
 * @param own options of the command that runs; the variables of the others are allowed as well, since one shell starts several
 * @throws UsageError that names the variable and the nearest known one
 */
export async function refuseUnknownVariables(
  env: Readonly<Record<string, string | undefined>>,
  own: z.ZodObject,
): Promise<void> {
  const known = environmentNames(own);
  const given = Object.keys(env).filter((name) => name.startsWith("SPILLWAY_") && !known.includes(name));
  const unknown = given.filter((name) => !others.test(name) && !serviceLinks.test(name));
  if (unknown.length === 0) return;
  const all = await Promise.all(commands.map(async ({ schema }) => environmentNames(await schema())));
  const names = new Set(all.flat());
  for (const name of unknown) {
    if (names.has(name)) continue;
    // One of this command is likelier to be meant than one of another.
    const guesses = [...known, ...names];
    throw new UsageError(`${name} is set in the environment, and is no option${didYouMean(name, guesses)}`);
  }
}
