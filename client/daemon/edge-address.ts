/** Edges as people write them: `URL` or `NAME=URL`. */
import { z } from "zod";
import { serverOrGrpcUrl } from "../../base/program/option-fields.ts";
import { functionName } from "../../serverless/prices/fc-limits.ts";

/** The parts of `URL` or `NAME=URL`; the names of edges have the same form as those of functions. */
export function edgeIn(given: string): { readonly name: string | undefined; readonly url: string } {
  const end = given.indexOf("=");
  const name = given.slice(0, Math.max(0, end));
  return functionName.test(name) ? { name, url: given.slice(end + 1) } : { name: undefined, url: given };
}

export const edgeAddress = z.string().transform((given, context): string => {
  const { name, url } = edgeIn(given);
  const address = serverOrGrpcUrl.safeParse(url);
  if (address.success) return name === undefined ? address.data : `${name}=${address.data}`;
  context.addIssue(`a URL or NAME=URL: ${address.error.issues[0]?.message}`);
  return z.NEVER;
});

/**
 * The edges by name: the only one is `edge`; of several, the first is `edge-1` and so on, where no name is given.
 *
 * @example
 * namedEdges(["http://a:8000", "far=http://b:8000"]).map(({ name }) => name); // ["edge-1", "far"]
 */
export function namedEdges(given: readonly string[]): { readonly name: string; readonly url: string }[] {
  return given.map((text, index) => {
    const { url, name = given.length === 1 ? "edge" : `edge-${index + 1}` } = edgeIn(text);
    return { name, url };
  });
}
