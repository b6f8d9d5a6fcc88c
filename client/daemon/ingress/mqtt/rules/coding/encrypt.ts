/** AES-256-GCM as devices send it: a nonce of 12 bytes, the encrypted bytes, a tag of 16 bytes. */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { MessageError } from "../view/message-error.ts";

const algorithm = "aes-256-gcm";
const nonceBytes = 12;
const tagBytes = 16;
/** Length of a key. */
export const keyBytes = 32;

/** @throws MessageError when the bytes were not encrypted with the key, or were changed */
export function decrypt(bytes: Uint8Array, key: Uint8Array): Uint8Array {
  if (bytes.length < nonceBytes + tagBytes)
    throw new MessageError(
      "not_decodable",
      `the payload has ${bytes.length} bytes; encrypted ones have ${nonceBytes + tagBytes} or more`,
    );
  const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, nonceBytes), {
    authTagLength: tagBytes,
  });
  decipher.setAuthTag(bytes.subarray(-tagBytes));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()]);
  } catch {
    throw new MessageError(
      "not_decodable",
      "the payload was encrypted with another key than the device's, or was changed",
    );
  }
}

/** @param nonce 12 bytes that were never used with the key */
export function encrypt(bytes: Uint8Array, key: Uint8Array, nonce: Uint8Array): Uint8Array {
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
  return Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
}

/** A nonce for `encrypt`. */
export function newNonce(randomBytes: (count: number) => Uint8Array): Uint8Array {
  return randomBytes(nonceBytes);
}
