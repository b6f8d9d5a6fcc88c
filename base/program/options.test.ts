/** What every program's options have in common, on a schema of its own. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { refuseUnknown } from "./option-schema.ts";
import { addOptions, checkValues, readOptions } from "./options.ts";

const schema = z.strictObject({
  policy: z.enum(["spillway", "fixed"]).default("spillway").describe("how").meta({ alias: "plan" }),
  hosts: z
    .array(z.string().min(2, "two letters or more"))
    .default(["here", "there"])
    .describe("where")
    .refine((hosts) => new Set(hosts).size === hosts.length, "hosts that differ"),
  ports: z.array(z.number().int().min(1)).optional().describe("which"),
});

function command(): Command {
  const made = addOptions(new Command("test"), schema).exitOverride();
  return made.configureOutput({ writeErr: () => {} }).action(() => {});
}

interface Given {
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly yaml?: string;
}

/** The options that are read of these. */
function read({ flags = [], env = {}, yaml }: Given): z.output<typeof schema> {
  const file = join(mkdtempSync(join(tmpdir(), "spillway-options-")), "options.yaml");
  if (yaml !== undefined) writeFileSync(file, yaml);
  const made = command();
  made.parse([...flags, ...(yaml === undefined ? [] : ["--config", file])], { from: "user" });
  return readOptions(made, schema, env);
}

describe("an alias of an option", () => {
  it.each([
    ["a flag", { flags: ["--plan", "fixed"] }],
    ["the environment", { env: { SPILLWAY_PLAN: "fixed" } }],
    ["a file", { yaml: "plan: fixed" }],
  ])("stands for it in %s", (_, given) => {
    expect(read(given).policy).toBe("fixed");
  });

  it("gives way to the name, and as a flag beats the environment and the file", () => {
    expect(read({ env: { SPILLWAY_PLAN: "fixed", SPILLWAY_POLICY: "spillway" } }).policy).toBe("spillway");
    expect(read({ flags: ["--plan", "fixed"], env: { SPILLWAY_POLICY: "spillway" } }).policy).toBe("fixed");
  });

  it("is not in the help, and errors name what was written", () => {
    expect(command().helpInformation()).toContain("--policy");
    expect(command().helpInformation()).not.toContain("plan");
    expect(() => read({ env: { SPILLWAY_PLAN: "best" } })).toThrow(
      'SPILLWAY_PLAN is "best"; allowed: spillway, fixed',
    );
  });

  it("is known to those who check options without a command line", () => {
    expect(checkValues(schema, { plan: "fixed" }, {}).policy).toBe("fixed");
    expect(() => checkValues(schema, { plan: "best" }, { plan: "file: plan" })).toThrow(
      'file: plan is "best"; allowed: spillway, fixed',
    );
    expect(() => refuseUnknown(["plan"], schema, "file")).not.toThrow();
    expect(() => refuseUnknown(["plam"], schema, "file")).toThrow('did you mean "policy"?');
  });
});

describe("an option that is a list", () => {
  const hosts = ["aa", "bb"];
  it.each([
    ["a flag that is repeated", { flags: ["--hosts", "aa", "--hosts", "bb"] }],
    ["a flag with commas", { flags: ["--hosts", "aa, bb"] }],
    ["the environment", { env: { SPILLWAY_HOSTS: "aa,bb" } }],
    ["a list in a file", { yaml: "hosts: [aa, bb]" }],
    ["a text in a file", { yaml: "hosts: aa,bb" }],
  ])("is taken from %s", (_, given) => {
    expect(read(given).hosts).toEqual(hosts);
  });

  it("has its default where nothing is given, and only the items of the first place that has some", () => {
    expect(read({}).hosts).toEqual(["here", "there"]);
    expect(read({ flags: ["--hosts", "aa"], env: { SPILLWAY_HOSTS: "bb" } }).hosts).toEqual(["aa"]);
    expect(checkValues(schema, { hosts: "aa" }, {}).hosts).toEqual(["aa"]);
  });

  it("has numbers where its items are numbers", () => {
    expect(read({ flags: ["--ports", "1,2"] }).ports).toEqual([1, 2]);
    expect(read({ yaml: "ports: 7" }).ports).toEqual([7]);
  });

  it("says which item is wrong, and what is wrong with all of them", () => {
    expect(() => read({ flags: ["--ports", "1", "--ports", "x"] })).toThrow(
      '--ports is "x"; allowed: an integer, 1 or more',
    );
    expect(() => read({ env: { SPILLWAY_HOSTS: "aa,b" } })).toThrow('SPILLWAY_HOSTS is "b"; allowed: ');
    expect(() => read({ flags: ["--hosts", "aa,aa"] })).toThrow(
      '--hosts is ["aa","aa"]; allowed: hosts that differ',
    );
  });

  it("is said to be one in the help", () => {
    expect(command().helpInformation().replaceAll(/\s+/g, " ")).toContain(
      '--hosts <string> where (may be repeated; default: "here", "there"; env: SPILLWAY_HOSTS)',
    );
  });
});
