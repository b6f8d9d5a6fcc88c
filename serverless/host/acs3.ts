/**
 * The check of an ACS3-HMAC-SHA256 signature, as Function Compute makes it of every call. The signature itself is in
 * `base/acs3.ts`.
 */
import { timingSafeEqual } from "node:crypto";
import { type Acs3Parts, acs3Signature, contentSha256, signedHeaderNames } from "../../base/acs3.ts";

const ALGORITHM = "ACS3-HMAC-SHA256";
const AUTHORIZATION =
  /^ACS3-HMAC-SHA256 Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})$/;
const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** How far a request's date may be from the host's clock, in milliseconds. */
export const ACS3_MAX_SKEW_MS = 15 * 60_000;

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
  if (!sameText(given, acs3Signature(secret, { ...request, signedHeaders, contentSha256: announced }))) {
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
