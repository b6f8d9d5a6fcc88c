/** Reads the JSON body of a request by a schema whose messages say what is allowed. */
import type { z } from "zod";
import { FcRefusal } from "../fc-refusal.ts";

const maxShownLength = 100;

/** @throws FcRefusal InvalidArgument with a line for every wrong field: its name, its value and what is allowed */
export function readInput<S extends z.ZodType>(schema: S, body: Uint8Array): z.output<S> {
  let given: unknown;
  try {
    given = JSON.parse(Buffer.from(body).toString());
  } catch {
    throw new FcRefusal("InvalidArgument", "the body is not JSON");
  }
  const result = schema.safeParse(given, { reportInput: true });
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    ({ path, input, message }) =>
      `${path.join(".") || "the body"} is ${JSON.stringify(input)?.slice(0, maxShownLength) ?? "missing"}; allowed: ${message}`,
  );
  throw new FcRefusal("InvalidArgument", problems.join("\n"));
}
