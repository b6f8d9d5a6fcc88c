/** Takes secrets out of what others say, because a server may repeat in its message what it was sent. */

/** @param secrets empty ones are passed over */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const known = secrets.filter((secret) => secret !== "");
  return (text) => known.reduce((left, secret) => left.replaceAll(secret, "[secret]"), text);
}
