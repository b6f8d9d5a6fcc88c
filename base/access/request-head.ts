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

const loopbackAddress = /^(127\.|::1$|::ffff:127\.)/i;
const loopbackName =
  /^(localhost|localhost\.localdomain|localhost6|ip6-localhost|ip6-loopback|[a-z0-9-]+\.localhost)\.?$/;
/** Headers that proxies add, and programs do not. */
const proxyHeader =
  /^(forwarded|forwarded-for|via|cdn-loop|x-forward.*|x-real-ip|x-original-.*|x-client-ip|x-cluster-client-ip|x-proxyuser-ip|(wl-)?proxy-client-ip|client-ip|true-client-ip|cf-(connecting-ip|ray|visitor|ipcountry)|fastly-.*|x-envoy-.*|x-arr-.*|x-azure-.*|x-appengine-.*|x-amz-cf-id|x-scheme|x-ssl-.*)$/;

export function headOf(context: Context): RequestHead {
  const { incoming, peer } = (context.env as Partial<HttpBindings & CallBindings> | undefined) ?? {};
  const headers = new Map<string, string[]>();
  let count = 0;
  const add = (name: string, value: string): void => {
    count++;
    const values = headers.get(name);
    if (values === undefined) headers.set(name, [value]);
    else values.push(value);
  };
  const raw = incoming?.rawHeaders;
  if (raw === undefined) for (const [name, value] of context.req.raw.headers) add(name, value);
  else for (let at = 0; at < raw.length; at += 2) add(raw[at]?.toLowerCase() ?? "", raw[at + 1] ?? "");
  const remoteAddress = incoming === undefined ? peer : (incoming.socket.remoteAddress ?? "");
  return { headers, count, target: incoming?.url, remoteAddress };
}

/** Whether the caller is a program on this machine, as far as address and headers tell. */
export function isFromThisMachine(head: RequestHead): boolean {
  const { headers, target = "/" } = head;
  if (!hasLoopbackAddress(head)) return false;
  // Some servers take _ for -, so that a proxy's header may come in either form.
  for (const name of headers.keys()) if (proxyHeader.test(name.replaceAll("_", "-"))) return false;
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
 * Whether a request came over loopback under a name that the public DNS may hold: through a proxy that keeps the name, or
 * from a page whose name leads here.
 */
export function hasPublicName(head: RequestHead): boolean {
  if (!hasLoopbackAddress(head)) return false;
  const name = hostOf(`http://${head.headers.get("host")?.[0] ?? ""}`)?.replace(/:\d+$/, "") ?? "";
  return name.includes(".") && isIP(bare(name)) === 0 && !isLoopbackHost(name);
}

function hasLoopbackAddress({ remoteAddress }: RequestHead): boolean {
  // Without a socket, the app was called as a function.
  return remoteAddress === undefined || loopbackAddress.test(remoteAddress);
}

/** @param host a name or address, with or without a port, as in the header Host */
function isLoopbackHost(host: string): boolean {
  if (!/^[^\s/?#@\\]+$/.test(host)) return false;
  const url = parsed(`http://${host}`);
  if (url === undefined) return false;
  const name = bare(url.hostname);
  // URL writes every form of an address alike: 127.1 as 127.0.0.1, ::ffff:127.0.0.1 as ::ffff:7f00:1.
  return (
    name === "::1" || /^::ffff:7f[0-9a-f]{2}:/.test(name) || isLoopbackV4(name) || loopbackName.test(name)
  );
}

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
