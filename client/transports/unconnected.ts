/** Which errors of the system say that there was no connection over which a call could have gone. */

/** Only looking up a name and connecting end with these. */
const ofConnecting = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"]);
/** A connection that is used can end with these as well, with the call under way. */
const ofNetwork = new Set(["EHOSTUNREACH", "ENETUNREACH"]);

/** @param error what connecting or sending threw: with a `code`, or with one in what caused it */
export function isUnconnected(error: unknown): boolean {
  let cause = error;
  for (let depth = 0; depth < 5 && cause instanceof Error; depth++) {
    const { code = "", syscall } = cause as NodeJS.ErrnoException;
    if (ofConnecting.has(code) || (ofNetwork.has(code) && syscall === "connect")) return true;
    // A name with several addresses: none of them may have been reached.
    if (cause instanceof AggregateError) return cause.errors.length > 0 && cause.errors.every(isUnconnected);
    ({ cause } = cause);
  }
  return false;
}
