/** Which errors of the system say that there was no connection over which a call could have gone. */

const codes = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** @param error what connecting or sending threw: with a `code`, or with one in what caused it */
export function isUnconnected(error: unknown): boolean {
  let cause = error;
  for (let depth = 0; depth < 5 && cause instanceof Error; depth++) {
    if (codes.has((cause as NodeJS.ErrnoException).code ?? "")) return true;
    ({ cause } = cause);
  }
  return false;
}
