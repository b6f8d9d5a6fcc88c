/** The version of the program. */
import { existsSync, readFileSync } from "node:fs";

/** From the sources and from the build, which is a folder deeper. */
const places = ["../../package.json", "../../../package.json"].map((path) => new URL(path, import.meta.url));
const place = places.find((each) => existsSync(each)) as URL;
export const { version } = JSON.parse(readFileSync(place, "utf8")) as { version: string };
