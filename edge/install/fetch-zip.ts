/** Fetches a zip from a path or a URL into a file: bounded, guarded, and checked against its digest as it comes. */
import { showValue } from "../../base/error-text.ts";
import { createHash } from "node:crypto";
import { createReadStream, statSync } from "node:fs";
import { isIP } from "node:net";
import { isAbsolute } from "node:path";
import type { Readable } from "node:stream";
import { isPrivateAddress, publicLookup } from "./guarded-address.ts";
import { writeBounded } from "./unpack-zip.ts";

export interface FetchLimits {
  /** Hosts that may have private addresses and may be asked without TLS. */
  readonly allowedHosts: readonly string[];
  /** Largest zip. */
  readonly maxBytes: number;
}

/** The digest that a download must have. An md5, as some manifests have it, finds errors but not attackers. */
export interface Digest {
  readonly algorithm: "sha256" | "md5";
  readonly bytes: Buffer;
}

const digestBytes = { sha256: 32, md5: 16 } as const;
/** Longest time that a host may send nothing. */
const idleTimeoutMs = 30_000;

/** A digest in hexadecimal or base64. Throws an Error when it is neither, or has another length. */
export function readDigest(algorithm: Digest["algorithm"], text: string): Digest {
  const length = digestBytes[algorithm];
  const isHex = new RegExp(`^[0-9a-f]{${2 * length}}$`, "i").test(text);
  const bytes = Buffer.from(text, isHex ? "hex" : "base64");
  if (isHex || (/^[A-Za-z0-9+/]+=*$/.test(text) && bytes.length === length)) return { algorithm, bytes };
  const shown = text.slice(0, 100);
  throw new Error(`${algorithm} is "${shown}"; allowed: ${length} bytes in hexadecimal or base64`);
}

/** Takes an absolute path, or a URL with a digest. Throws an Error that names the source and what is wrong. */
export async function fetchZip(
  source: string,
  digest: Digest | undefined,
  into: string,
  limits: FetchLimits,
): Promise<void> {
  if (!isAbsolute(source) && digest === undefined)
    throw new Error(`${source}: a URL needs a sha256 or md5 of the zip`);
  const bytes = isAbsolute(source) ? openFile(source) : await download(source, limits);
  const hash = digest && createHash(digest.algorithm);
  const tooMuch = `${source} is too large; allowed: at most ${limits.maxBytes} bytes`;
  await writeBounded(bytes, into, limits.maxBytes, tooMuch, hash);
  const found = hash?.digest();
  if (digest === undefined || found?.equals(digest.bytes) === true) return;
  const [got, wanted] = [found?.toString("hex"), digest.bytes.toString("hex")];
  throw new Error(`${source} has ${digest.algorithm} ${got}; expected ${wanted}`);
}

/** Regular files only: a pipe or a device might never end. */
function openFile(path: string): Readable {
  if (statSync(path).isFile()) return createReadStream(path);
  throw new Error(`${path} is not a file`);
}

async function download(source: string, { allowedHosts, maxBytes }: FetchLimits): Promise<Readable> {
  const url = URL.canParse(source) ? new URL(source) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new Error(
      `${showValue(source)} is neither an absolute path nor a URL; allowed: https://…/model.zip, /folder/model.zip`,
    );
  }
  const host = url.hostname.replaceAll(/^\[|\]$/g, "");
  const isAllowed = allowedHosts.includes(host);
  if (!isAllowed && url.protocol !== "https:")
    throw new Error(`${source}: http is only for hosts allowed by name (--model-hosts); use https`);
  // A name is checked when it is looked up for the connection; an address is never looked up.
  if (!isAllowed && isIP(host) !== 0 && isPrivateAddress(host))
    throw new Error(`${source}: ${host} is not public; --model-hosts allows hosts by name`);
  const timeouts = { headersTimeout: idleTimeoutMs, bodyTimeout: idleTimeoutMs };
  const connect = { timeout: idleTimeoutMs, ...(!isAllowed && { lookup: publicLookup }) };
  // Most servers never fetch anything, and undici takes as long to load as a tenth of their start.
  const { Agent, request } = await import("undici");
  const { statusCode, headers, body } = await request(url, {
    dispatcher: new Agent({ connect, ...timeouts }),
  }).catch((error: Error) => {
    throw new Error(`${source}: ${error.message}`, { cause: error });
  });
  const length = Number(headers["content-length"] ?? 0);
  if (statusCode === 200 && length <= maxBytes) return body;
  body.on("error", () => {}).destroy();
  // Redirects are not followed, because nobody has checked where they lead.
  const why =
    statusCode === 200
      ? `the zip has ${length} bytes; allowed: at most ${maxBytes}`
      : `the host answered with status ${statusCode}; allowed: 200`;
  throw new Error(`${source}: ${why}`);
}
