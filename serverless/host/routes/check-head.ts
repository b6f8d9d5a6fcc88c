/** The size of a request's head, as Function Compute bounds it. */
import { FcRefusal } from "../fc-refusal.ts";

const maxHeaderBytes = 8 * 2 ** 10;
const maxUrlBytes = 4 * 2 ** 10;

/** @throws FcRefusal InvalidArgument when path and query, or the headers, are too large */
export function checkHead(request: Request): void {
  const { pathname, search } = new URL(request.url);
  const urlBytes = pathname.length + search.length;
  if (urlBytes > maxUrlBytes) {
    throw new FcRefusal("InvalidArgument", `path and query have ${urlBytes} bytes; allowed: ${maxUrlBytes}`);
  }
  let headerBytes = 0;
  // Each is a line: name, colon, blank, value, and two bytes for its end.
  for (const [name, value] of request.headers) headerBytes += name.length + value.length + 4;
  if (headerBytes > maxHeaderBytes) {
    throw new FcRefusal(
      "InvalidArgument",
      `the headers have ${headerBytes} bytes; allowed: ${maxHeaderBytes}`,
    );
  }
}
