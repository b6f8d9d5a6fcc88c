/** The address of a NATS server as people write it. What it holds of user and password is never shown. */
const allowed = "nats://HOST:PORT, tls://HOST:PORT or HOST:PORT, such as nats://127.0.0.1:4222";
const usualPort = "4222";

export interface NatsAddress {
  /** Host and port, as `connect` takes them. */
  readonly server: string;
  readonly isTls: boolean;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
}

/**
 * @example
 * natsAddress("nats://ann:secret@10.0.0.5"); // { server: "10.0.0.5:4222", isTls: false, user: "ann", password: "secret" }
 *
 * @throws TypeError that says what is allowed and repeats no password
 */
export function natsAddress(given: string): NatsAddress {
  const text = given.trim();
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
  const scheme = hasScheme ? text.slice(0, text.indexOf(":")).toLowerCase() : "nats";
  if (scheme !== "nats" && scheme !== "tls") throw new TypeError(allowed);
  // URL knows the rules of hosts and ports for http alone.
  const rest = hasScheme ? text.slice(text.indexOf("://") + 3) : text;
  const url = URL.canParse(`http://${rest}`) ? new URL(`http://${rest}`) : undefined;
  if (url === undefined || url.hostname === "" || url.pathname !== "/" || /[?#]/.test(rest))
    throw new TypeError(allowed);
  const port = /:80\/?$/.test(rest) ? "80" : url.port || usualPort;
  const user = url.username === "" ? undefined : decodeURIComponent(url.username);
  const password = url.password === "" ? undefined : decodeURIComponent(url.password);
  return { server: `${url.hostname}:${port}`, isTls: scheme === "tls", user, password };
}
