/** Headers of messages as records, and back. */
import { headers as newHeaders, type MsgHdrs } from "@nats-io/transport-node";

export function asHeaders(given: Readonly<Record<string, string>>): MsgHdrs {
  const made = newHeaders();
  for (const [name, value] of Object.entries(given)) made.set(name, value);
  return made;
}

/** Names in lower case, whoever wrote them. */
export function plain(given: MsgHdrs | undefined): Record<string, string> {
  const made: Record<string, string> = {};
  if (given !== undefined) for (const name of given.keys()) made[name.toLowerCase()] = given.get(name);
  return made;
}
