/** What can be done with a text that a server sent: read it as JSON, and take secrets out of it. */

/** The value of a JSON text; undefined when it is no JSON or null. */
export function jsonIn(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) ?? undefined;
  } catch {
    return undefined;
  }
}

/**
 * A function that takes secrets out of a text.
 *
 * @param secrets empty ones are ignored
 */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const known = secrets.filter((secret) => secret !== "");
  return (text) => known.reduce((left, secret) => left.replaceAll(secret, "[secret]"), text);
}

/** The body of a reply without secrets: a server that refuses a call may repeat what it was sent. */
export function withoutSecrets(
  body: Uint8Array,
  redacted: (text: string) => string,
): Uint8Array<ArrayBuffer> {
  const text = new TextDecoder().decode(body);
  const left = redacted(text);
  return left === text ? new Uint8Array(body) : new TextEncoder().encode(left);
}

/** The message of a failed parse without its quotation of the text, which may hold a part of a secret. */
export function withoutExcerpt(message: string): string {
  const at = message.search(/, (?:\.{3})?"/);
  return at >= 0 && /"(?:\.{3})? is not valid JSON$/.test(message) ? message.slice(0, at) : message;
}
