/** Writes the options of every command. Run `node dist/docs/write-options.js` after a build. */
import { writeFileSync } from "node:fs";
import { Command } from "commander";
import { addOptions } from "../base/program/options.ts";
import { commands } from "../cli/commands.ts";
import { wrapProse } from "./prose.ts";

const sections = commands.map(({ name, description, schema }) => {
  const { options } = addOptions(new Command(name), schema);
  const rows = options
    .filter(({ hidden }) => !hidden)
    .map(({ flags, description }) => `| \`${flags}\` | ${description.replaceAll("|", "\\|")} |`);
  return `## ${name}

${description[0]?.toUpperCase()}${description.slice(1)}.

| option | meaning |
|---|---|
${rows.join("\n")}`;
});
const page = `# Options

Of every command, as \`spillway COMMAND --help\` lists them. Each is also an environment variable, named in brackets, and
a line of a YAML file that \`--config FILE\` names, there in camelCase (\`--lame-duck 10\` is \`lameDuck: 10\`). A flag
beats the environment, that beats the file, that beats the default. Times are in seconds.

${sections.join("\n\n")}
`;
writeFileSync(new URL("../../docs/reference/options.md", import.meta.url), wrapProse(page));
