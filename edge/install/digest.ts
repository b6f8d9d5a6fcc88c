/** The checksum that a download must have: sha256, or md5 as some manifests have it, which proves no origin. */
import { createHash, type Hash } from "node:crypto";

export interface Digest {
  readonly algorithm: "sha256" | "md5";
  readonly bytes: Buffer;
}

const lengths = { sha256: 32, md5: 16 } as const;

/**
 * @param text hexadecimal or base64
 * @throws Error when it is neither, or not of the algorithm's length
 */
export function readDigest(algorithm: Digest["algorithm"], text: string): Digest {
  const length = lengths[algorithm];
  const isHex = new RegExp(`^[0-9a-f]{${2 * length}}$`, "i").test(text);
  const bytes = isHex ? Buffer.from(text, "hex") : Buffer.from(text, "base64");
  const isBase64 = /^[A-Za-z0-9+/]+=*$/.test(text) && bytes.length === length;
  if (isHex || isBase64) return { algorithm, bytes };
  throw new Error(
    `${algorithm} is "${text.slice(0, 100)}"; allowed: ${length} bytes in hexadecimal or base64`,
  );
}

export function newHash({ algorithm }: Digest): Hash {
  return createHash(algorithm);
}

/** @throws Error that shows both when they differ */
export function checkDigest({ algorithm, bytes }: Digest, hash: Hash, what: string): void {
  const found = hash.digest();
  if (found.equals(bytes)) return;
  throw new Error(`${what} has ${algorithm} ${found.toString("hex")}; expected ${bytes.toString("hex")}`);
}
