/** Takes secrets out of what others say, because a server may repeat in its message what it was sent. */

/** @param secrets empty ones are passed over */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const known = secrets.filter((secret) => secret !== "");
  return (text) => known.reduce((left, secret) => left.replaceAll(secret, "[secret]"), text);
}

/** A reply of which a secret is no rightful part: what a server says when it refuses may be what it was sent. */
export function withoutSecrets(
  body: Uint8Array,
  redacted: (text: string) => string,
): Uint8Array<ArrayBuffer> {
  const text = new TextDecoder().decode(body);
  const left = redacted(text);
  return left === text ? new Uint8Array(body) : new TextEncoder().encode(left);
}

/** The message of a failed parse without the few characters of the text that it quotes, which may be part of a secret. */
export function withoutExcerpt(message: string): string {
  return message.replace(/, (\.{3})?".*"(\.{3})? is not valid JSON$/s, "");
}
