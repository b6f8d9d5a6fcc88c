/** The static files of a dashboard: the modules that the build has made of the `browser` folders, and uPlot as it is installed. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { icon } from "./page-shell.ts";
import { pageStyle } from "./page-style.ts";

export interface Asset {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly type: string;
  readonly etag: string;
}

/** The build: this file is there itself, or, in a test, in the source beside it. */
const here = new URL("../../", import.meta.url);
const built = existsSync(new URL("package.json", here)) ? new URL("dist/", here) : here;
const shared = "base/dashboard/browser";

/**
 * By path below `/dashboard/assets/`. Modules are where they are in the build, so that they find each other.
 *
 * @param folder of the page's own modules, in the build
 * @throws Error when the program was not built
 */
export function pageAssets(folder: string): ReadonlyMap<string, Asset> {
  const assets = new Map<string, Asset>();
  for (const each of [shared, folder]) {
    const path = fileURLToPath(new URL(each, built));
    for (const name of readdirSync(path)) {
      if (name.endsWith(".js")) assets.set(`${each}/${name}`, script(readFileSync(`${path}/${name}`)));
    }
  }
  const uplot = dirname(createRequire(import.meta.url).resolve("uplot"));
  assets.set(`${shared}/uplot.js`, script(readFileSync(join(uplot, "uPlot.esm.js"))));
  const uplotStyle = readFileSync(join(uplot, "uPlot.min.css"), "utf8");
  assets.set("style.css", asset(Buffer.from(`${uplotStyle}\n${pageStyle}`), "text/css; charset=utf-8"));
  assets.set("icon.svg", asset(Buffer.from(icon), "image/svg+xml"));
  return assets;
}

function script(body: Buffer): Asset {
  return asset(body, "text/javascript; charset=utf-8");
}

function asset(body: Buffer, type: string): Asset {
  const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
  return { body: new Uint8Array(body), type, etag };
}
