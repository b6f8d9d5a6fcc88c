/** Fills the tables of the reference with what the code knows. Run `node dist/docs/write-reference.js` after a build. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { Registry } from "../base/program/metric-registry.ts";
import { errorKinds } from "../base/errors.ts";
import { addOptions } from "../base/program/options.ts";
import { JoinedMetrics } from "../client/daemon/ingress/jetstream/joined-metrics.ts";
import { JobMetrics, type JobsLoad } from "../client/daemon/ingress/jobs/job-metrics.ts";
import { LaneGoals } from "../client/daemon/observe/lane-goals.ts";
import { commands, sectionedCommands } from "../cli/commands.ts";
import { fileSchema } from "../cli/config/config-schema.ts";
import { RuleCounts } from "../client/daemon/ingress/mqtt/delivery/rule-counts.ts";
import { MqttMetrics } from "../client/daemon/ingress/mqtt/mqtt-metrics.ts";
import { mqttConfigSchema } from "../client/daemon/ingress/mqtt/rules/config/mqtt-config.ts";
import { badMessageReasons } from "../client/daemon/ingress/mqtt/rules/message.ts";
import { QueueMetrics } from "../client/daemon/observe/metrics.ts";
import { modelConfigSchema } from "../edge/models/model-config.ts";
import { Metrics } from "../edge/observe/metrics.ts";
import { StatisticsBook } from "../edge/observe/model-statistics.ts";
import type { PriceSheet } from "../serverless/prices/price.ts";
import { readShippedSheets } from "../serverless/prices/price-sheet-files.ts";
import { sheetFields } from "../serverless/prices/price-sheet.ts";
import { plainNumber } from "../serverless/prices/price-table.ts";

type Rows = readonly (readonly string[])[];

const placeOf = (file: string): URL => new URL(`../../docs/reference/${file}`, import.meta.url);
const tablePattern = /^(\|.*\n\|[-| ]+\|\n)(?:\|.*\n)*/gm;

/** Replaces the rows of a page's tables, in their order; heads and prose stay. */
function fillTables(file: string, ...tables: readonly Rows[]): void {
  const left = [...tables];
  const page = readFileSync(placeOf(file), "utf8");
  writeFileSync(
    placeOf(file),
    page.replace(tablePattern, (_, head: string) => head + textOf(left.shift() ?? [])),
  );
}

function textOf(rows: Rows): string {
  return rows.map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

function errorRows(): Rows {
  return Object.entries(errorKinds).map(([code, { status, retryable, isOfTarget, meaning }]) => {
    return [`\`${code}\``, String(status), retryable ? "yes" : "no", isOfTarget ? "yes" : "no", meaning];
  });
}

/** From a scrape without samples, which has the meaning and the type of each metric. */
function metricRows(scrape: string): Rows {
  const found = scrape.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$/gm);
  return Array.from(found, ([, name, meaning = "", type = ""]) => [`\`${name}\``, type, meaning]);
}

async function optionsOf({ name, description, schema }: (typeof commands)[number]): Promise<string> {
  const { options } = addOptions(new Command(name), await schema());
  const rows = options
    .filter(({ hidden }) => !hidden)
    .map(({ flags, description }) => [`\`${flags}\``, description.replaceAll("|", "\\|")]);
  const sentence = `${description[0]?.toUpperCase()}${description.slice(1)}.`;
  return `## ${name}\n\n${sentence}\n\n| option | meaning |\n|---|---|\n${textOf(rows)}`;
}

function sheetRow(sheet: PriceSheet): string[] {
  const { name, currency, validFrom, granularityMs, tiers = [], source } = sheet;
  const [first, unit] = sheet.kind === "cu" ? [sheet.perCu, "CU"] : [sheet.perGbS, "GB-s"];
  const prices = [`${plainNumber(first)} a ${unit}`];
  for (const { above, price } of tiers)
    prices.push(`${plainNumber(price)} above ${plainNumber(above / 1e6)} M`);
  const { cpu, gpu } = granularityMs;
  const rounding = `${cpu} ms${gpu === undefined ? "" : `, GPU ${gpu} ms`}`;
  return [`\`${name}\``, currency, validFrom, prices.join("; "), rounding, source];
}

function fieldRows(kind: PriceSheet["kind"]): Rows {
  const isOwn = (name: string): boolean =>
    name === "kind" || kind === "cu" || sheetFields("cu").every((field) => field.name !== name);
  return sheetFields(kind)
    .filter(({ name }) => isOwn(name))
    .map(({ name, meaning, optional }) => {
      const value = name === "kind" ? `\`"${kind}"\`: ` : "";
      return [`\`${name}\``, `${value}${meaning}`, optional ? "" : "yes"];
    });
}

interface Setting {
  readonly description: string;
  readonly default?: unknown;
}

function settingRows(settings: Readonly<Record<string, Setting>>): Rows {
  return Object.entries(settings).map(([name, { description, default: value }]) => {
    return [`\`${name}\``, description, value === undefined ? "" : `\`${JSON.stringify(value)}\``];
  });
}

/** A part of a JSON Schema. */
interface SchemaOfKeys {
  readonly properties?: Readonly<Record<string, SchemaOfKeys>>;
  readonly items?: SchemaOfKeys;
  readonly anyOf?: readonly SchemaOfKeys[];
  readonly description?: string;
  readonly default?: unknown;
}

/** What is at the keys; `items` stands for what a list has. Of several forms the one with keys. */
function partOf(schema: SchemaOfKeys, ...keys: readonly string[]): SchemaOfKeys {
  return keys.reduce<SchemaOfKeys>((part, key) => {
    const next = key === "items" ? part.items : part.properties?.[key];
    const form = next?.anyOf?.find(({ properties }) => properties !== undefined) ?? next;
    if (form === undefined) throw new Error(`the schema has no ${key}`);
    return form;
  }, schema);
}

function keyRows({ properties = {} }: SchemaOfKeys): Rows {
  return Object.entries(properties).map(([key, { description = "", default: value }]) => {
    const isShown = value !== undefined && JSON.stringify(value) !== "{}";
    return [`\`${key}\``, description.replaceAll("|", "\\|"), isShown ? `\`${JSON.stringify(value)}\`` : ""];
  });
}

fillTables("errors.md", errorRows());

const nothing = { spent: 0, limit: null };
const spend = { currency: "CNY", isReached: false, reserved: 0, hour: nothing, day: nothing };
const queue = await new QueueMetrics({ spend: () => spend }).text();
const edge = await new Metrics([], new StatisticsBook()).text();
const goals = await new LaneGoals({}).text();
const noJobs: JobsLoad = {
  states: { running: 0, done: 0, cancelled: 0, stopped: 0 },
  mostJobs: 0,
  bytes: { input: 0, reading: 0, results: 0 },
  mostBytes: 0,
  queuedRows: 0,
  mostQueuedRows: 0,
  rows: { answered: 0, failed: 0 },
};
const jobs = await new JobMetrics(() => noJobs).text();
const noRequests = { taken: 0, again: 0, answered: 0, failed: 0, doubled: 0, expired: 0 };
const noShares = [{ model: "MODEL", owners: 1, parts: 1, edges: 0 }];
const noneJoined = { isConnected: true, waiting: 0, models: 0, counts: noRequests, shares: noShares };
const joined = await new JoinedMetrics(() => noneJoined).text();
const mqtt = new MqttMetrics({
  registry: new Registry(),
  counts: new RuleCounts(() => false),
  brokers: () => [],
});
fillTables(
  "metrics.md",
  metricRows(queue + goals + jobs + joined),
  metricRows(await mqtt.text()),
  metricRows(edge),
);

fillTables("prices.md", readShippedSheets().map(sheetRow), fieldRows("cu"), fieldRows("gb-second"));

const schema = modelConfigSchema() as { readonly properties: Readonly<Record<string, Setting>> };
fillTables("model-config.md", settingRows(schema.properties));
writeFileSync(placeOf("model-config.schema.json"), `${JSON.stringify(schema, null, 2)}\n`);

const configuration = await fileSchema(sectionedCommands());
writeFileSync(placeOf("spillway.schema.json"), `${JSON.stringify(configuration, null, 2)}\n`);
const rules = mqttConfigSchema();
const rule = partOf(rules, "rules", "items");
const input = partOf(rule, "inputs", "items");
fillTables(
  "mqtt-rules.md",
  keyRows(rules).map(([key = "", meaning = ""]) => [key, meaning]),
  keyRows(partOf(rules, "brokers", "items")),
  keyRows(rule),
  ...["from", "model", "payload", "coding"].map((key) => keyRows(partOf(rule, key))),
  keyRows(partOf(rule, "coding", "keys")),
  keyRows(input),
  keyRows(partOf(input, "values", "items")),
  ...["windows", "publish", "errors"].map((key) => keyRows(partOf(rule, key))),
  Object.entries(badMessageReasons).map(([reason, meaning]) => [`\`${reason}\``, meaning]),
);
writeFileSync(placeOf("mqtt-rules.schema.json"), `${JSON.stringify(rules, null, 2)}\n`);

// Which commands there are is in the table of commands, so their headings are made as well.
const [introduction] = readFileSync(placeOf("options.md"), "utf8").split("\n## ", 1);
writeFileSync(
  placeOf("options.md"),
  `${introduction}\n${(await Promise.all(commands.map(optionsOf))).join("\n")}`,
);

execFileSync("npx", ["oxfmt", fileURLToPath(placeOf("."))]);
