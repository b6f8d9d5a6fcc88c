/** The options with which a program joins others over NATS. `--join` switches them on. */
import { z } from "zod";
import { optionalText, positive } from "../program/option-fields.ts";
import { type NatsAddress, natsAddress } from "./nats-address.ts";

const address = z.string().transform((given, context): NatsAddress => {
  try {
    return natsAddress(given);
  } catch (error) {
    context.addIssue((error as TypeError).message);
    return z.NEVER;
  }
});

/** Of a program, a site or a JetStream domain. */
export const joinedName = z
  .string()
  .regex(/^[\w-]{1,32}$/, "1 to 32 letters, digits, _ and -")
  .optional();

export const joinFields = {
  join: z
    .array(address)
    .default([])
    .describe(
      "nats://HOST:PORT of a NATS server with JetStream, or tls://; several of one cluster with commas between." +
        " User and password stand in the URL, or in NATS_USER and NATS_PASSWORD, a token in NATS_TOKEN",
    )
    .meta({ none: "join nothing" }),
  joinCreds: optionalText.describe(
    "file with the credentials (JWT and key) of --join, or with a key (nkey) alone (default: NATS_CREDS)",
  ),
  joinCa: optionalText.describe(
    "PEM file of the authority that signed the certificate of the server of --join",
  ),
  joinCert: optionalText.describe("PEM file of the certificate that the server of --join is shown"),
  joinKey: optionalText.describe("PEM file of the key of --join-cert"),
  joinDomain: joinedName.describe(
    "JetStream domain that keeps the queues, such as that of a site's leaf node (default: that of the server)",
  ),
  joinSite: joinedName.describe(
    "name of the site: programs share queues, edges and models with those of the same site (default: the JetStream domain)",
  ),
  joinMib: positive()
    .default(1_024)
    .describe(
      "most MiB of requests that wait on the server of --join, and as much of results; when they are full, requests are" +
        " refused and the oldest results go. Whoever joins first decides",
    ),
  joinName: joinedName.describe(
    "name of this program among those that joined (default: a new one at each start)",
  ),
};

export type JoinOptions = {
  readonly [Field in keyof typeof joinFields]?: z.output<(typeof joinFields)[Field]> | undefined;
} & { readonly join: readonly NatsAddress[] };
