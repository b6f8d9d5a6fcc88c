/** Writes the man page into the build; the last step of `npm run build`. */
import { readFileSync, writeFileSync } from "node:fs";
import { version } from "../base/program/version.ts";
import { commands } from "../cli/commands.ts";
import { describeCommands } from "../cli/shells/described-commands.ts";
import { manPage } from "../cli/shells/man-page.ts";

// The same checkout makes the same page: its date is that of the newest release.
const changes = readFileSync(new URL("../../CHANGELOG.md", import.meta.url), "utf8");
const date = /^## \S+, (\d{4}-\d{2}-\d{2})/m.exec(changes)?.[1] ?? "unreleased";
const page = manPage(await describeCommands(commands), version, date);
writeFileSync(new URL("../spillway.1", import.meta.url), page);
