/**
 * The ACS3-HMAC-SHA256 request signature of Alibaba Cloud, as arithmetic on given values: no clock, no socket.
 * Who calls functions signs with it, the function host checks with it.
 */
import { createHash, createHmac } from "node:crypto";

const ALGORITHM = "ACS3-HMAC-SHA256";

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
  /** Names in lower case, sorted; see `signedHeaderNames`. */
  readonly signedHeaders: readonly string[];
  /** See `contentSha256`; empty where the body is not signed, as with HTTP triggers. */
  readonly contentSha256: string;
}

/** SHA-256 of a body, in lower-case hex. */
export function contentSha256(body: Uint8Array): string {
  return createHash("sha256").update(body).digest("hex");
}

/** The names of the headers that have to be signed, sorted: `host`, `content-type` and every `x-acs-*`. */
export function signedHeaderNames(headers: Readonly<Record<string, string>>): string[] {
  return Object.keys(headers)
    .filter((name) => name === "host" || name === "content-type" || name.startsWith("x-acs-"))
    .toSorted();
}

/** The signature, in lower-case hex. */
export function acs3Signature(secret: string, parts: Acs3Parts): string {
  const toSign = `${ALGORITHM}\n${createHash("sha256").update(canonicalRequest(parts)).digest("hex")}`;
  return createHmac("sha256", secret).update(toSign).digest("hex");
}

/** The value of the header `authorization`. */
export function acs3Authorization(accessKeyId: string, secret: string, parts: Acs3Parts): string {
  const signature = acs3Signature(secret, parts);
  return `${ALGORITHM} Credential=${accessKeyId},SignedHeaders=${parts.signedHeaders.join(";")},Signature=${signature}`;
}

/** A moment, in milliseconds since 1970, as the value of the header `x-acs-date`. */
export function acs3Date(atMs: number): string {
  return new Date(atMs).toISOString().replace(/\.\d+Z$/, "Z");
}

/** The text whose hash is signed: method, path, query, signed headers and content hash, a line each. */
function canonicalRequest(parts: Acs3Parts): string {
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

function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
