// @module-tag slow
import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it, type TestContext } from "vitest";
import { commands } from "../commands.ts";
import { completionScript, shells } from "./completion.ts";
import { type DescribedCommand, describeCommands } from "./described-commands.ts";
import { manPage } from "./man-page.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-completion-"));
let described: readonly DescribedCommand[];

beforeAll(async () => {
  described = await describeCommands(commands);
  for (const shell of shells) writeFileSync(join(folder, shell), completionScript(shell, described));
  writeFileSync(join(folder, "rules.yaml"), "");
});

/** What a program prints; the test is skipped where it is not installed. */
function printed({ skip }: TestContext, program: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8", cwd: folder });
  if (error !== undefined && "code" in error && error.code === "ENOENT") skip(`${program} is not installed`);
  expect([status, stderr]).toEqual([0, ""]);
  return stdout;
}

/** What is offered for the last of the words, as the user has typed them. */
const offeredBy: Readonly<Record<string, (context: TestContext, words: string[]) => string[]>> = {
  bash: (context, words) => {
    const array = words.map((word) => `'${word}'`).join(" ");
    const script = `source ./bash; COMP_WORDS=(${array}); COMP_CWORD=${words.length - 1}; _spillway 2>/dev/null; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return printed(context, "bash", "--norc", "-c", script).trim().split("\n");
  },
  fish: (context, words) => {
    const text = printed(
      context,
      "fish",
      "--no-config",
      "-c",
      `source ./fish; complete -C '${words.join(" ")}'`,
    );
    return text
      .trim()
      .split("\n")
      .map((line) => line.split("\t")[0] as string);
  },
};

describe.each(Object.entries(offeredBy))("%s", (_, offered) => {
  it.for([
    [["spillway", "ed"], "edge"],
    [["spillway", "compl"], "completion"],
    [["spillway", "edge", "--grpc"], "--grpc-port"],
    [["spillway", "edge", "--balance", "round"], "round-robin"],
    [["spillway", "completion", "z"], "zsh"],
    [["spillway", "mqtt", "conv"], "convert"],
    [["spillway", "vqueue", "--mqtt", "rules"], "rules.yaml"],
  ] as const)("completes %j with %s", ([words, expected], context) => {
    expect(offered(context, [...words])).toEqual([expected]);
  });

  it("offers every command, and every option of a command", (context) => {
    const first = offered(context, ["spillway", ""]);
    const words = new Set(described.map(({ name }) => name.split(" ")[0]));
    expect(first).toEqual(expect.arrayContaining([...words]));
    const vqueue = described.find(({ name }) => name === "vqueue") as DescribedCommand;
    const long = vqueue.options.flatMap(({ names }) => names).filter((name) => name.startsWith("--"));
    expect(offered(context, ["spillway", "vqueue", "--"])).toEqual(expect.arrayContaining(long));
  });
});

it("zsh takes its script, and calls it for spillway", (context) => {
  const script = "autoload -Uz compinit; compinit -u -D; source ./zsh; print $_comps[spillway]";
  expect(printed(context, "zsh", "-f", "-c", script)).toBe("_spillway\n");
  printed(context, "zsh", "-n", "./zsh");
});

it("the man page has every command and option, and mandoc finds no fault with it", (context) => {
  const page = manPage(described, "1.2.3", "2026-01-01");
  const plain = page.replaceAll(String.raw`\-`, "-");
  for (const { name, options } of described) {
    expect(plain).toContain(`.B spillway ${name}\n`);
    for (const each of options) expect(plain).toContain(each.names[0]);
  }
  writeFileSync(join(folder, "spillway.1"), page);
  expect(printed(context, "mandoc", "-T", "lint", "-W", "warning", "spillway.1")).toBe("");
});
