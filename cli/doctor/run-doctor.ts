/** The command `doctor`: prints what an issue report needs, and what is wrong. Nothing of it is a secret. */
import { existsSync } from "node:fs";
import { configVariable, readConfigMap, usualConfigPath } from "../../base/program/config-file.ts";
import { UsageError } from "../../base/usage-error.ts";
import { checkConfig, urlsInFile, withoutUser } from "../config/check-config.ts";
import type { SectionedProgram } from "../config/config-schema.ts";
import type { DoctorOptions } from "./doctor-options.ts";
import { fact, fault, type Finding } from "./finding.ts";
import { joinedFindings, joinedServers } from "./joined.ts";
import { machineFindings, programFindings } from "./machine.ts";
import { modelFindings, packageFindings, runtimeFindings } from "./runtime.ts";
import { serverFinding } from "./servers.ts";

/** Most addresses of a file that are asked. */
const mostServers = 100;

/** @returns the exit status: 0 nothing is wrong, 2 something is */
export async function runDoctor(
  { config, reach, json }: DoctorOptions,
  programs: readonly SectionedProgram[],
): Promise<number> {
  const findings: Finding[] = [
    ...programFindings(),
    ...machineFindings(process.env),
    ...packageFindings(),
    ...runtimeFindings(),
    ...(await fileFindings(config, programs, reach)),
  ];
  const faults = findings.filter(({ isFault }) => isFault).length;
  process.stdout.write(
    json ? `${JSON.stringify({ findings, faults }, null, 2)}\n` : textOf(findings, faults),
  );
  return faults === 0 ? 0 : 2;
}

function textOf(findings: readonly Finding[], faults: number): string {
  const width = Math.max(...findings.map(({ about }) => about.length));
  const lines = findings.map(
    ({ about, text, isFault }) =>
      `${isFault ? "!" : " "} ${about.padEnd(width)}  ${text.replaceAll("\n", `\n${" ".repeat(width + 4)}`)}`,
  );
  const end =
    faults === 0 ? "nothing is wrong" : `${faults === 1 ? "1 fault" : `${faults} faults`}, marked with !`;
  return `${lines.join("\n")}\n${end}\n`;
}

async function fileFindings(
  given: string | undefined,
  programs: readonly SectionedProgram[],
  reach: boolean,
): Promise<Finding[]> {
  const named = given ?? process.env[configVariable];
  const path = named ?? (existsSync(usualConfigPath) ? usualConfigPath : undefined);
  if (path === undefined || path === "") return [fact("file", `no ${usualConfigPath} here`)];
  try {
    const checked = await checkConfig(path, programs, { reach: false });
    const urls = urlsInFile(
      path,
      programs.map(({ name }) => name),
    );
    const asked = reach ? [...new Map(urls.map(([place, url]) => [url, place]))].slice(0, mostServers) : [];
    return [
      fact("file", `${path}: options of ${checked.programs.join(", ") || "no program"}`),
      ...checked.faults.map((text) => fault("file", withoutSecrets(text))),
      ...modelsOf(path),
      ...(await Promise.all(asked.map(([url, place]) => serverFinding(place, url)))),
      ...(reach ? await joinedIn(path, programs) : []),
    ];
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return [fault("file", withoutSecrets(error.message))];
  }
}

/** Of the NATS servers that programs join, each once. */
async function joinedIn(path: string, programs: readonly SectionedProgram[]): Promise<Finding[]> {
  const sections = readConfigMap(path);
  const asked = new Map<string, Promise<Finding[]>>();
  for (const { name } of programs) {
    const section = sections[name];
    const servers = joinedServers(section);
    const key = servers.join(",");
    if (servers.length > 0 && !asked.has(key))
      asked.set(key, joinedFindings(`${name}.join`, servers, section as object, process.env));
  }
  return (await Promise.all(asked.values())).flat();
}

function modelsOf(path: string): Finding[] {
  const { edge } = readConfigMap(path) as { edge?: { models?: unknown } | null };
  return typeof edge?.models === "string" ? modelFindings(edge.models) : [];
}

/** Faults quote what the file says: of a URL the user, the password and the query stay out. */
function withoutSecrets(text: string): string {
  return withoutUser(text).replaceAll(/https?:\/\/[^\s"']+/g, (url) => url.replace(/[?#].*/, "?(hidden)"));
}
