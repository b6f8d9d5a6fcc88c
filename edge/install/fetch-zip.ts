/** Brings a zip to a file of ours, from a path or a URL: bounded, guarded, and checked while it comes. */
import { createReadStream, createWriteStream, statSync } from "node:fs";
import { get as httpGet, type IncomingMessage } from "node:http";
import { get as httpsGet } from "node:https";
import { isIP } from "node:net";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { isAbsolute } from "node:path";
import { checkDigest, type Digest, newHash } from "./digest.ts";
import { isPrivateAddress, publicLookup } from "./guarded-address.ts";

export interface FetchLimits {
  /** Hosts that may be of a private network, and may be asked without TLS. */
  readonly allowedHosts: readonly string[];
  /** Most that a zip may have. */
  readonly maxBytes: number;
}

/** Longest time that a host may send nothing. */
const idleTimeoutMs = 30_000;

/**
 * @param source an absolute path, or a URL, for which there must be a digest
 * @throws Error that names the source and what is wrong or allowed
 */
export async function fetchZip(
  source: string,
  digest: Digest | undefined,
  into: string,
  limits: FetchLimits,
): Promise<void> {
  if (!isAbsolute(source) && digest === undefined) {
    throw new Error(`${source}: a URL needs a sha256 or md5 of what it leads to`);
  }
  const bytes = isAbsolute(source) ? openFile(source) : await download(source, limits);
  const hash = digest && newHash(digest);
  let count = 0;
  const checked = async function* (chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    for await (const chunk of chunks) {
      count += chunk.length;
      if (count > limits.maxBytes)
        throw new Error(`${source}: larger than ${limits.maxBytes} bytes, the most taken`);
      hash?.update(chunk);
      yield chunk;
    }
  };
  await pipeline(bytes, checked, createWriteStream(into, { flags: "wx" }));
  if (digest !== undefined && hash !== undefined) checkDigest(digest, hash, source);
}

/** A pipe or a device, which might never end or never begin, is no file. */
function openFile(path: string): Readable {
  if (statSync(path).isFile()) return createReadStream(path);
  throw new Error(`${path} is no file`);
}

function download(source: string, { allowedHosts, maxBytes }: FetchLimits): Promise<Readable> {
  const url = URL.canParse(source) ? new URL(source) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new Error(
      `"${source}" is no absolute path and no URL; allowed: https://…/model.zip, /folder/model.zip`,
    );
  }
  const host = url.hostname.replaceAll(/^\[|\]$/g, "");
  const isAllowed = allowedHosts.includes(host);
  if (!isAllowed && url.protocol !== "https:") {
    throw new Error(`${source}: http is for hosts allowed by name (--model-hosts) only; use https`);
  }
  // A name is looked up when the connection is made; an address is not looked up at all.
  if (!isAllowed && isIP(host) !== 0 && isPrivateAddress(host)) {
    throw new Error(`${source}: ${host} is not public; --model-hosts allows hosts by name`);
  }
  return new Promise((resolve, reject) => {
    const options = { timeout: idleTimeoutMs, ...(!isAllowed && { lookup: publicLookup }) };
    const get = url.protocol === "https:" ? httpsGet : httpGet;
    const asked = get(url, options, (answer: IncomingMessage) => {
      const length = Number(answer.headers["content-length"] ?? 0);
      if (answer.statusCode === 200 && length <= maxBytes) {
        resolve(answer);
        return;
      }
      asked.destroy();
      // Redirects are not followed: they would lead where nobody has looked.
      const why =
        answer.statusCode === 200
          ? `${length} bytes; at most ${maxBytes}`
          : `status ${answer.statusCode}; 200`;
      reject(new Error(`${source}: answered with ${why} is taken`));
    });
    asked.on("timeout", () => asked.destroy(new Error(`nothing came for ${idleTimeoutMs / 1_000} s`)));
    asked.on("error", (error) => reject(new Error(`${source}: ${error.message}`, { cause: error })));
  });
}
