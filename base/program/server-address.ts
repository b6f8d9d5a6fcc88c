/**
 * The address of a server as people write it: with or without a scheme, and with `/v2` at its end when it was copied from
 * a client. What cannot be meant is refused.
 */

/** Why a text is no address of a server, in words that follow "allowed:". */
export class AddressError extends TypeError {
  override readonly name = "AddressError";
}

const example = "such as http://127.0.0.1:8000";
const grpcExample = "such as grpc://127.0.0.1:8001";

export function isGrpcAddress(url: string): boolean {
  return /^grpcs?:/i.test(url);
}

/**
 * The URL of a server: its scheme, its host, and a path before `/v2` where there is one.
 *
 * @example
 * serverAddress("jetson.local:8000/v2/"); // "http://jetson.local:8000"
 * serverAddress("https://host/models/a"); // "https://host/models/a"
 *
 * @param mayBeGrpc whether `grpc://HOST:PORT` and `grpcs://HOST:PORT` are allowed as well
 * @throws AddressError that says what is allowed
 */
export function serverAddress(given: string, mayBeGrpc = false): string {
  const text = given.trim();
  if (mayBeGrpc && isGrpcAddress(text)) return grpcAddress(text);
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
  const url = hasScheme ? urlIn(text) : urlWithoutScheme(text);
  if (url === undefined || url.hostname === "") throw new AddressError(`an http(s) URL, ${example}`);
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new AddressError(`http:// or https://, ${example}`);
  if (url.username !== "" || url.password !== "")
    throw new AddressError(`a URL without user and password, ${example}`);
  if (url.search !== "" || url.hash !== "" || /[?#]/.test(text))
    throw new AddressError(`a URL without ? and #, ${example}`);
  const path = url.pathname
    .replace(/(?<!\/)\/+$/, "")
    .replace(/\/v2$/, "")
    .replace(/(?<!\/)\/+$/, "");
  if (/\/v2(?=\/)/.test(`${path}/`)) throw new AddressError(`a URL that ends before or with /v2, ${example}`);
  return `${url.origin}${path}`;
}

function grpcAddress(text: string): string {
  const url = urlIn(text);
  if (url === undefined || url.hostname === "" || url.port === "")
    throw new AddressError(`a gRPC URL with a port, ${grpcExample}`);
  if (url.username !== "" || url.password !== "" || /[?#]/.test(text) || !/^\/?$/.test(url.pathname))
    throw new AddressError(`a gRPC URL without user, path, ? and #, ${grpcExample}`);
  return `${url.protocol}//${url.host}`;
}

/** Without a scheme a name needs a dot or a port, because a bare word is more likely a slip. */
function urlWithoutScheme(text: string): URL | undefined {
  const isAddress =
    /^(?:\[[0-9a-f:.]+\]|localhost|[^\s/:@][^\s/:@.]*\.[^\s/:@]+|[^\s/:@]+(?=:[0-9]+))(?::[0-9]+)?(?:[/?#]|$)/i;
  return isAddress.test(text) ? urlIn(`http://${text}`) : undefined;
}

function urlIn(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}
