/**
 * What the head of a request says of where it comes from: a program on this machine, a proxy, or a page in a browser.
 * A proxy that adds no header and sends our own name cannot be told from a program; nothing here can see it.
 */
import { isIP } from "node:net";
import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";

export interface RequestHead {
  /** By names in lower case, each value as it came: one that was sent twice is there twice. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  /** How many headers there are, each value by itself. */
  readonly count: number;
  /** The request target as sent; undefined when the app was called without a socket. */
  readonly target: string | undefined;
  /** Empty when the socket is gone or has no address; undefined when the app was called without a socket. */
  readonly remoteAddress: string | undefined;
}

/** What comes with a request that was no HTTP message, such as a call of gRPC: it has no socket of its own. */
export interface CallBindings {
  /** The address of its sender; empty when that is not known. */
  readonly peer: string;
}

/** Most verdicts that are kept, and the longest text of one, in characters. */
const [mostKept, longestKept] = [256, 256];
const loopbackAddress = /^(127\.|::1$|::ffff:127\.)/i;
const loopbackName =
  /^(localhost|localhost\.localdomain|localhost6|ip6-localhost|ip6-loopback|[a-z0-9-]+\.localhost)\.?$/;
/** Headers that proxies add, and programs do not. */
const proxyHeader =
  /^(forwarded|forwarded-for|via|cdn-loop|x-forward.*|x-real-ip|x-original-.*|x-client-ip|x-cluster-client-ip|x-proxyuser-ip|(wl-)?proxy-client-ip|client-ip|true-client-ip|cf-(connecting-ip|ray|visitor|ipcountry)|fastly-.*|x-envoy-.*|x-arr-.*|x-azure-.*|x-appengine-.*|x-amz-cf-id|x-scheme|x-ssl-.*)$/;

export function headOf(context: Context): RequestHead {
  const { incoming, peer } = (context.env as Partial<HttpBindings & CallBindings> | undefined) ?? {};
  if (incoming !== undefined) return headOfMessage(incoming);
  const headers = new Map<string, string[]>();
  let count = 0;
  for (const [name, value] of context.req.raw.headers) {
    count++;
    add(headers, name, value);
  }
  return { headers, count, target: undefined, remoteAddress: peer };
}

/** The same of a message from a socket. */
export function headOfMessage({
  rawHeaders: raw,
  url,
  socket,
}: Pick<HttpBindings["incoming"], "rawHeaders" | "url" | "socket">): RequestHead {
  const headers = new Map<string, string[]>();
  for (let at = 0; at < raw.length; at += 2) add(headers, raw[at]?.toLowerCase() ?? "", raw[at + 1] ?? "");
  return { headers, count: raw.length / 2, target: url, remoteAddress: socket.remoteAddress ?? "" };
}

function add(headers: Map<string, string[]>, name: string, value: string): void {
  const values = headers.get(name);
  if (values === undefined) headers.set(name, [value]);
  else values.push(value);
}

/** Whether the caller is a program on this machine, as far as address and headers tell. */
export function isFromThisMachine(head: RequestHead): boolean {
  const { headers, target = "/" } = head;
  if (!hasLoopbackAddress(head)) return false;
  // Some servers take _ for -, so that a proxy's header may come in either form.
  for (const name of headers.keys()) if (isOfProxy(name)) return false;
  const hosts = headers.get("host") ?? [];
  // By DNS rebinding, a web page can have a name that resolves to this machine. HTTP/1.0 needs no Host.
  if (hosts.length > 1 || hosts.some((host) => !isLoopbackHost(host))) return false;
  // A target with a host of its own counts before the header.
  if (!target.startsWith("/") && !isLoopbackHost(hostOf(target) ?? "")) return false;
  const referers = headers.get("referer") ?? [];
  return foreignPageOf(head) === undefined && referers.every((each) => isOwnOrigin(originOf(each), head));
}

/**
 * The origin of the web page that sent a request, unless it is a page of this server; `another site` when the browser
 * does not name it. Undefined when no page sent it.
 */
export function foreignPageOf(head: RequestHead): string | undefined {
  const origins = head.headers.get("origin") ?? [];
  if (origins.length > 1) return "several origins";
  const [origin] = origins;
  if (origin !== undefined && !isOwnOrigin(origin, head)) return origin === "" ? "another site" : origin;
  const sites = head.headers.get("sec-fetch-site") ?? [];
  return sites.every((site) => site === "none" || site === "same-origin") ? undefined : "another site";
}

/**
 * As `foreignPageOf`, for a page of ours that trusts nothing but a session of its own. Its own name may be any: one that was
 * made to lead here has no session. A link to it may stand anywhere, since the page itself holds no data.
 *
 * @example An operator follows a link in a mail: `Sec-Fetch-Site: cross-site`, `Sec-Fetch-Mode: navigate`; undefined.
 */
export function foreignToPage(head: RequestHead, method: string): string | undefined {
  const origins = head.headers.get("origin") ?? [];
  const sites = head.headers.get("sec-fetch-site") ?? [];
  const isOpened = head.headers.get("sec-fetch-mode")?.join() === "navigate";
  if (origins.length === 0) {
    if (isOpened && (method === "GET" || method === "HEAD")) return undefined;
    return sites.every((site) => site === "none" || site === "same-origin") ? undefined : "another site";
  }
  // A proxy may have put another name in the place of ours; then the browser's own word counts.
  if (sites.length === 1) return sites[0] === "same-origin" ? undefined : origins.join();
  const [host, ...others] = head.headers.get("host") ?? [];
  const own = host === undefined || others.length > 0 ? undefined : hostOf(`http://${host}`);
  const isOwn = own !== undefined && origins.length === 1 && hostOf(origins[0] ?? "") === own;
  return isOwn && sites.length === 0 ? undefined : origins.join() || "another site";
}

/**
 * Whether a request came over loopback under a name that the public DNS may hold: through a proxy that keeps the name, or
 * from a page whose name leads here.
 */
export function hasPublicName(head: RequestHead): boolean {
  if (!hasLoopbackAddress(head)) return false;
  const name = hostOf(`http://${head.headers.get("host")?.[0] ?? ""}`)?.replace(/:\d+$/, "") ?? "";
  return name.includes(".") && isIP(bare(name)) === 0 && !isLoopbackHost(name);
}

/** A verdict for each text, kept for the few texts that come again and again. */
function remembered(verdictOn: (text: string) => boolean): (text: string) => boolean {
  const known = new Map<string, boolean>();
  return (text) => {
    let verdict = known.get(text);
    if (verdict !== undefined) return verdict;
    verdict = verdictOn(text);
    if (text.length > longestKept) return verdict;
    if (known.size >= mostKept) known.clear();
    known.set(text, verdict);
    return verdict;
  };
}

const isOfProxy = remembered((name) => proxyHeader.test(name.replaceAll("_", "-")));

function hasLoopbackAddress({ remoteAddress }: RequestHead): boolean {
  // Without a socket, the app was called as a function.
  return remoteAddress === undefined || loopbackAddress.test(remoteAddress);
}

/** Of a name or address, with or without a port, as in the header Host. */
const isLoopbackHost = remembered((host) => {
  if (!/^[^\s/?#@\\]+$/.test(host)) return false;
  const url = parsed(`http://${host}`);
  if (url === undefined) return false;
  const name = bare(url.hostname);
  // URL writes every form of an address alike: 127.1 as 127.0.0.1, ::ffff:127.0.0.1 as ::ffff:7f00:1.
  return (
    name === "::1" || /^::ffff:7f[0-9a-f]{2}:/.test(name) || isLoopbackV4(name) || loopbackName.test(name)
  );
});

function isLoopbackV4(name: string): boolean {
  return isIP(name) === 4 && name.startsWith("127.");
}

/** A page of our own has our name; names other than addresses and loopback ones could belong to anybody. */
function isOwnOrigin(origin: string | undefined, { headers }: RequestHead): boolean {
  const url = parsed(origin ?? "");
  const [host, ...others] = headers.get("host") ?? [];
  if (url === undefined || url.origin !== origin || host === undefined || others.length > 0) return false;
  const own = parsed(`${url.protocol}//${host}`);
  return own?.host === url.host && (isIP(bare(url.hostname)) !== 0 || isLoopbackHost(url.host));
}

function originOf(referer: string): string | undefined {
  return parsed(referer)?.origin;
}

function hostOf(url: string): string | undefined {
  return parsed(url)?.host;
}

function bare(hostname: string): string {
  return hostname.replaceAll(/^\[|\]$/g, "");
}

function parsed(url: string): URL | undefined {
  try {
    return new URL(url);
  } catch {
    return undefined;
  }
}
