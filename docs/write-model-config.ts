/** Writes docs/model-config.md and its JSON Schema. Run `node dist/docs/write-model-config.js` after a build. */
import { writeFileSync } from "node:fs";
import { modelConfigSchema } from "../edge/models/model-config.ts";
import { wrapProse } from "./prose.ts";

interface Property {
  readonly description: string;
  readonly default?: unknown;
}

const schema = modelConfigSchema() as { readonly properties: Readonly<Record<string, Property>> };
const rows = Object.entries(schema.properties).map(([name, { description, default: value }]) => {
  return `| \`${name}\` | ${description} | ${value === undefined ? "" : `\`${JSON.stringify(value)}\``} |`;
});
const page = `# Settings of a model

They are in \`config.yaml\` in the model's folder; all are optional. An unknown key is refused, and the message names the
nearest known one. With this as its first line, editors complete and check the file ([the schema](model-config.schema.json)):
\`# yaml-language-server: $schema=…/model-config.schema.json\`

| setting | meaning | default |
|---|---|---|
${rows.join("\n")}
`;
const write = (name: string, text: string): void =>
  writeFileSync(new URL(`../../docs/reference/${name}`, import.meta.url), text);
write("model-config.md", wrapProse(page));
write("model-config.schema.json", `${JSON.stringify(schema, null, 2)}\n`);
