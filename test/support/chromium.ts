/** The browser of Debian, where it is installed, driven without a download of another one. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const path = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((each) =>
  existsSync(each),
);

/** Why tests in a browser cannot run; undefined: they can. */
export const noBrowser =
  path === undefined ? "chromium is not installed (apt-get install chromium)" : undefined;

export function openBrowser(): Promise<Browser> {
  if (path === undefined) throw new Error(noBrowser);
  return chromium.launch({ executablePath: path, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}
