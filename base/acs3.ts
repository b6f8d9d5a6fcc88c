/** The ACS3-HMAC-SHA256 request signature of Alibaba Cloud, for callers of functions and for the function host. */
import { createHash, createHmac } from "node:crypto";

const algorithm = "ACS3-HMAC-SHA256";

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
  /** See `contentSha256`; empty where the body is not signed, as for HTTP triggers. */
  readonly contentSha256: string;
}

/** SHA-256 of a body, in lower-case hex. */
export function contentSha256(body: Uint8Array): string {
  return createHash("sha256").update(body).digest("hex");
}

/** The sorted names of the headers that must be signed: `host`, `content-type` and every `x-acs-*`. */
export function signedHeaderNames(headers: Readonly<Record<string, string>>): string[] {
  return Object.keys(headers)
    .filter((name) => name === "host" || name === "content-type" || name.startsWith("x-acs-"))
    .toSorted();
}

/** The signature, in lower-case hex. */
export function acs3Signature(secret: string, parts: Acs3Parts): string {
  const toSign = `${algorithm}\n${createHash("sha256").update(canonicalRequest(parts)).digest("hex")}`;
  return createHmac("sha256", secret).update(toSign).digest("hex");
}

/** The value of the `authorization` header. */
export function acs3Authorization(accessKeyId: string, secret: string, parts: Acs3Parts): string {
  const signature = acs3Signature(secret, parts);
  return `${algorithm} Credential=${accessKeyId},SignedHeaders=${parts.signedHeaders.join(";")},Signature=${signature}`;
}

/** The value of the `x-acs-date` header for a time in milliseconds since 1970. */
export function acs3Date(atMs: number): string {
  return new Date(atMs).toISOString().replace(/\.\d+Z$/, "Z");
}

/** The text whose hash is signed: method, path, query, signed headers and content hash, one a line. */
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
