/**
 * The ACS3-HMAC-SHA256 request signature of Alibaba Cloud, as arithmetic on given values: no clock, no socket.
 * The function host checks with it; a signer can be put together from the same steps.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

const ALGORITHM = "ACS3-HMAC-SHA256";
const AUTHORIZATION =
  /^ACS3-HMAC-SHA256 Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})$/;
const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** How far a request's date may be from the host's clock, in milliseconds. */
export const ACS3_MAX_SKEW_MS = 15 * 60_000;

/** What the signature covers. */
export interface Acs3Parts {
  /** Upper case. */
  readonly method: string;
  /** The path as sent, percent-encoding included. */
  readonly path: string;
  /** Decoded names and values. */
  readonly query: Iterable<readonly [string, string]>;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Names in lower case, sorted. */
  readonly signedHeaders: readonly string[];
  /** See `contentSha256`. */
  readonly contentSha256: string;
}

/**
 * How a signature covers the body: by the hash that a header announces, with every header that can be signed, as the
 * vendor's API asks for; or not at all, with the `x-acs-*` headers alone, as HTTP triggers do.
 */
export type Acs3Payload = "announced" | "unsigned";

/** What `verifyAcs3` is given. */
export interface Acs3Request extends Omit<Acs3Parts, "signedHeaders" | "contentSha256"> {
  /** Undefined: announced. */
  readonly payload?: Acs3Payload;
  readonly nowMs: number;
  /** The secret of an access key, or undefined when the key is unknown. */
  readonly secretFor: (accessKeyId: string) => string | undefined;
}

/** The codes are Function Compute's. */
export type Acs3Verdict =
  | { readonly ok: true; readonly accessKeyId: string }
  | {
      readonly ok: false;
      readonly code: "SignatureNotMatch" | "InvalidAccessKeyID" | "MissingRequiredHeader";
      readonly message: string;
    };

/** SHA-256 of a body, in lower-case hex. */
export function contentSha256(body: Uint8Array): string {
  return createHash("sha256").update(body).digest("hex");
}

/** The text whose hash is signed: method, path, query, signed headers and content hash, a line each. */
export function canonicalRequest(parts: Acs3Parts): string {
  const path = parts.path.replaceAll("+", "%20").replaceAll("*", "%2A").replaceAll("%7E", "~");
  const query = [...parts.query]
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([name, value]) => `${name}=${percentEncode(value)}`)
    .join("&");
  const headers = parts.signedHeaders
    .map((name) => `${name}:${(parts.headers[name] ?? "").trim()}\n`)
    .join("");
  return [parts.method, path, query, headers, parts.signedHeaders.join(";"), parts.contentSha256].join("\n");
}

/** The text that goes under the HMAC. */
export function stringToSign(canonical: string): string {
  return `${ALGORITHM}\n${createHash("sha256").update(canonical).digest("hex")}`;
}

/** HMAC-SHA256 of the string to sign, in lower-case hex. */
export function acs3Signature(secret: string, toSign: string): string {
  return createHmac("sha256", secret).update(toSign).digest("hex");
}

/** The names of the headers that have to be signed, sorted: `host`, `content-type` and every `x-acs-*`. */
export function signedHeaderNames(headers: Readonly<Record<string, string>>): string[] {
  return Object.keys(headers)
    .filter((name) => name === "host" || name === "content-type" || name.startsWith("x-acs-"))
    .toSorted();
}

/**
 * Check all of a signed request that can be checked before its body is read: the headers are there, the key is known,
 * the date is within `ACS3_MAX_SKEW_MS` of `nowMs`, everything that must be signed is, and the signature is right for
 * the announced hash of the body. What remains is `hasAnnouncedBody`, and that its nonce is new.
 */
export function verifyAcs3(request: Acs3Request): Acs3Verdict {
  const { headers, payload = "announced" } = request;
  const announcing = payload === "announced" ? ["host", "x-acs-content-sha256"] : [];
  for (const name of ["authorization", "x-acs-date", ...announcing]) {
    if (!headers[name]) return refuse("MissingRequiredHeader", `the header ${name} is missing`);
  }
  const [, accessKeyId = "", signedList = "", given = ""] =
    AUTHORIZATION.exec(headers["authorization"] ?? "") ?? [];
  if (given === "") return refuse("SignatureNotMatch", `authorization is not in the form of ${ALGORITHM}`);
  const secret = request.secretFor(accessKeyId);
  if (secret === undefined) return refuse("InvalidAccessKeyID", `access key ${accessKeyId} is unknown`);

  const date = headers["x-acs-date"] ?? "";
  const sentAtMs = DATE.test(date) ? Date.parse(date) : Number.NaN;
  if (!(Math.abs(request.nowMs - sentAtMs) <= ACS3_MAX_SKEW_MS)) {
    return refuse("SignatureNotMatch", `x-acs-date ${date} is not within 15 minutes of the host's clock`);
  }
  const signedHeaders = signedHeaderNames(headers).filter(
    (name) => payload === "announced" || name.startsWith("x-acs-"),
  );
  if (signedList !== signedHeaders.join(";")) {
    return refuse("SignatureNotMatch", `signed headers must be ${signedHeaders.join(";")}`);
  }
  const announced = payload === "announced" ? (headers["x-acs-content-sha256"] ?? "") : "";
  const toSign = stringToSign(canonicalRequest({ ...request, signedHeaders, contentSha256: announced }));
  if (!sameText(given, acs3Signature(secret, toSign))) {
    return refuse("SignatureNotMatch", "the signature is not that of this request and key");
  }
  return { ok: true, accessKeyId };
}

/** Whether a body has the hash that its request's signed headers announced. */
export function hasAnnouncedBody(headers: Readonly<Record<string, string>>, body: Uint8Array): boolean {
  return sameText(headers["x-acs-content-sha256"] ?? "", contentSha256(body));
}

function refuse(code: Exclude<Acs3Verdict, { ok: true }>["code"], message: string): Acs3Verdict {
  return { ok: false, code, message };
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
