/** Checks the ACS3-HMAC-SHA256 signature and nonce of a request, as Function Compute does. `base/acs3.ts` signs. */
import { timingSafeEqual } from "node:crypto";
import { type Acs3Parts, acs3Signature, contentSha256, signedHeaderNames } from "../../base/acs3.ts";
import { FcRefusal } from "./fc-refusal.ts";

const algorithm = "ACS3-HMAC-SHA256";
const authorizationForm =
  /^ACS3-HMAC-SHA256 Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})$/;
const dateForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** How far a request's date may be from the host's clock. */
export const acs3MaxSkewMs = 15 * 60_000;
const maxNonceLength = 128;

/**
 * What a signature covers. "announced", for the vendor's API: the hash of the body that a header announces, and every
 * header that can be signed. "unsigned", for HTTP triggers: the `x-acs-*` headers, and nothing of the body.
 */
export type Acs3Payload = "announced" | "unsigned";

export interface Acs3Request extends Omit<Acs3Parts, "signedHeaders" | "contentSha256"> {
  /** Default: "announced". */
  readonly payload?: Acs3Payload;
  readonly nowUnixMs: number;
  /** The secret of an access key, or undefined when the key is unknown. */
  readonly secretFor: (accessKeyId: string) => string | undefined;
}

/**
 * Check the head of a signed request: needed headers, a known key, a date close to `nowUnixMs`, what must be signed, and
 * the signature. Still to be checked are the body, by `hasAnnouncedBody`, and that the nonce is new. Returns the key.
 *
 * @throws FcRefusal MissingRequiredHeader, InvalidAccessKeyID, SignatureNotMatch
 */
export function verifyAcs3(request: Acs3Request): string {
  const { headers, payload = "announced" } = request;
  const announcing = payload === "announced" ? ["host", "x-acs-content-sha256"] : [];
  for (const name of ["authorization", "x-acs-date", ...announcing]) {
    if (!headers[name]) throw new FcRefusal("MissingRequiredHeader", `the header ${name} is missing`);
  }
  const [, accessKeyId = "", signedList = "", given = ""] =
    authorizationForm.exec(headers["authorization"] ?? "") ?? [];
  if (given === "") throw mismatch(`authorization is not in the form of ${algorithm}`);
  const secret = request.secretFor(accessKeyId);
  if (secret === undefined) throw new FcRefusal("InvalidAccessKeyID", `access key ${accessKeyId} is unknown`);

  const date = headers["x-acs-date"] ?? "";
  const sentAtMs = dateForm.test(date) ? Date.parse(date) : Number.NaN;
  if (!(Math.abs(request.nowUnixMs - sentAtMs) <= acs3MaxSkewMs)) {
    throw mismatch(`x-acs-date ${date} is not within 15 minutes of the host's clock`);
  }
  const signedHeaders = signedHeaderNames(headers).filter(
    (name) => payload === "announced" || name.startsWith("x-acs-"),
  );
  if (signedList !== signedHeaders.join(";")) {
    throw mismatch(`signed headers must be ${signedHeaders.join(";")}`);
  }
  const announced = payload === "announced" ? (headers["x-acs-content-sha256"] ?? "") : "";
  if (!isSameText(given, acs3Signature(secret, { ...request, signedHeaders, contentSha256: announced }))) {
    throw mismatch("the signature is not that of this request and key");
  }
  return accessKeyId;
}

/** Whether a body has the hash that the signed headers announce. */
export function hasAnnouncedBody(headers: Readonly<Record<string, string>>, body: Uint8Array): boolean {
  return isSameText(headers["x-acs-content-sha256"] ?? "", contentSha256(body));
}

/** Remembers nonces as long as their requests could be sent again, in bounded memory. */
export class Nonces {
  readonly #limits: { readonly keepMs: number; readonly maxCount: number };
  /** When each nonce came, the oldest first. */
  readonly #cameAtMs = new Map<string, number>();

  /** @param limits beyond `maxCount` the oldest nonce is forgotten, and could be used again */
  constructor(limits: { readonly keepMs: number; readonly maxCount: number }) {
    this.#limits = limits;
  }

  /** Whether a nonce is new; it is remembered from now on. One of more than 128 characters is never new. */
  isNew(nonce: string, nowMs: number): boolean {
    const { keepMs, maxCount } = this.#limits;
    for (const [old, atMs] of this.#cameAtMs) {
      if (nowMs - atMs <= keepMs && this.#cameAtMs.size < maxCount) break;
      this.#cameAtMs.delete(old);
    }
    if (nonce.length > maxNonceLength || this.#cameAtMs.has(nonce)) return false;
    this.#cameAtMs.set(nonce, nowMs);
    return true;
  }
}

function isSameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function mismatch(message: string): FcRefusal {
  return new FcRefusal("SignatureNotMatch", message);
}
