/** What an error of a NATS connection means, for a person, and whether it helps to wait. */

export interface JoinFault {
  readonly why: string;
  /** False: it stays wrong until somebody changes it. */
  readonly isPassing: boolean;
}

const network: readonly (readonly [RegExp, string])[] = [
  [/ECONNREFUSED/, "nothing listens there"],
  [/ENOTFOUND|EAI_AGAIN/, "its host name is not known"],
  [/EHOSTUNREACH|ENETUNREACH/, "there is no way to its host"],
  [/ETIMEDOUT/, "it does not answer"],
  [
    /ECONNRESET|connection (?:was )?closed|closed connection/i,
    "it closed the connection; it may not be a NATS server",
  ],
];

const certificates: readonly (readonly [RegExp, string])[] = [
  [
    /DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT|self.signed certificate|unable to verify/,
    "its certificate is not signed by an authority that is known here; --join-ca names the PEM file of its authority",
  ],
  [/CERT_HAS_EXPIRED|certificate has expired/, "its certificate has expired"],
  [/ALTNAME_INVALID|does not match certificate/, "its certificate is for another host name"],
  [
    /CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE|bad certificate/i,
    "it does not accept our certificate; --join-cert and --join-key name the PEM files of one that it knows",
  ],
  [/EPROTO|WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/, "it does not speak TLS there"],
];

/**
 * @example
 * whyNotJoined(new Error("connect ECONNREFUSED 127.0.0.1:4222")); // { why: "nothing listens there (…)", isPassing: true }
 */
export function whyNotJoined(error: unknown, isTls = false): JoinFault {
  const messages = chainOf(error);
  const all = messages.join("; ");
  const last = messages.at(-1) ?? "";
  for (const [pattern, why] of certificates) if (pattern.test(all)) return { why, isPassing: false };
  if (/user authentication expired/i.test(all))
    return { why: "our credentials have expired; --join-creds names the file of new ones", isPassing: false };
  if (/authorization violation|authentication|nonce/i.test(all))
    return {
      why: "it does not let us in; check user and password in the URL (or NATS_USER, NATS_PASSWORD), NATS_TOKEN or --join-creds",
      isPassing: false,
    };
  if (/not support 'tls'/i.test(all) || (/tls/i.test(all) && /not available/i.test(all)))
    return {
      why: "it does not speak TLS; use nats:// without --join-ca, --join-cert and --join-key",
      isPassing: false,
    };
  if (/permissions violation/i.test(all))
    return { why: `it does not allow us what we need (${last})`, isPassing: false };
  if (all === "" || /unexpected response/i.test(all))
    return { why: "what answers is no NATS server", isPassing: true };
  for (const [pattern, why] of network) if (pattern.test(all)) return { why, isPassing: true };
  // From TLS 1.3 on a server ends the connection without a word that we hear.
  if (/timeout/i.test(all) && isTls)
    return {
      why: "it does not answer as a NATS server does; it may want a certificate that it knows, which --join-cert and --join-key name",
      isPassing: true,
    };
  if (/timeout/i.test(all)) return { why: "it does not answer as a NATS server does", isPassing: true };
  return { why: last, isPassing: true };
}

function chainOf(error: unknown): string[] {
  const messages: string[] = [];
  for (let at = error; at instanceof Error && messages.length < 8; at = at.cause) {
    const { code, errors } = at as Error & { readonly code?: unknown; readonly errors?: readonly unknown[] };
    messages.push(
      typeof code === "string" && !at.message.includes(code) ? `${at.message} (${code})` : at.message,
    );
    const [first] = errors ?? [];
    if (first instanceof Error) messages.push(first.message);
  }
  return messages;
}
