import { Command } from "commander";
import { pino } from "pino";
import { expect, it } from "vitest";
import { addOptions, checkValues, readOptions } from "../../base/program/options.ts";
import { chosenEdges, chosenPolicy, refuseAlone, refuseOwnAddress, usedFunctions } from "./choices.ts";
import { type DaemonOptions, daemonOptions } from "./options.ts";

const optionsOf = (edge?: unknown): DaemonOptions =>
  checkValues(daemonOptions, edge === undefined ? {} : { edge }, { edge: "--edge" });
const small = { name: "small", vcpu: 1, memoryMib: 1_024 };

/** The targets of these edges as `NAME URL`. */
function edgesOf(edge?: unknown): string[] {
  return chosenEdges(optionsOf(edge), [small]).map(({ name, url }) => `${name} ${url}`);
}

it("calls the only edge `edge`, whatever its URL", () => {
  expect(edgesOf()).toEqual(["edge http://127.0.0.1:8000"]);
  expect(edgesOf("http://a:1/x")).toEqual(["edge http://a:1/x"]);
  expect(edgesOf("shop=jetson.local:8000/v2/")).toEqual(["shop http://jetson.local:8000"]);
});

it("numbers several edges by their place, and takes the names that are given", () => {
  expect(edgesOf(["http://a", "shop=http://b", "http://c"])).toEqual([
    "edge-1 http://a",
    "shop http://b",
    "edge-3 http://c",
  ]);
  expect(edgesOf("shop=http://b")).toEqual(["shop http://b"]);
});

it.each([
  ["two edges of one name", ["a=http://a", "a=http://b"], 'two targets are called "a"'],
  ["a name that another edge gets by its place", ["edge-2=http://a", "http://b"], "edge-2"],
  ["the name of a function", "small=http://a", "small"],
])("refuses %s", (_, edge, message) => {
  expect(() => edgesOf(edge)).toThrow(message);
});

it.each([
  ["near", '--edge is "near"; allowed: a URL or NAME=URL'],
  ["a b=http://a", '--edge is "a b=http://a"; allowed: a URL or NAME=URL'],
  ["a=ftp://a", '--edge is "a=ftp://a"; allowed: a URL or NAME=URL'],
  ["http://a:1/x?y=z", '--edge is "http://a:1/x?y=z"; allowed: a URL or NAME=URL: a URL without ? and #'],
])("refuses %j", (edge, message) => {
  expect(() => optionsOf(edge)).toThrow(message);
});

it.each([[[]], [false], ["false"]])("has no edge where it is %j", (edge) => {
  expect(edgesOf(edge)).toEqual([]);
});

it("reads --no-edge on the command line, and the last of several", () => {
  const read = (...given: string[]): readonly string[] => {
    const command = addOptions(new Command("vqueue"), daemonOptions).parse(["node", "vqueue", ...given]);
    return readOptions(command, daemonOptions, {}).edge;
  };
  expect(read("--no-edge")).toEqual([]);
  expect(read("--no-edge", "--edge", "http://a")).toEqual(["http://a"]);
});

it.each([
  [{ joinSpend: true }, "--join-spend is given without --join"],
  [{ joinOwners: ["2"] }, "--join-owners is given without --join"],
])("refuses to share alone: %j", (given, message) => {
  expect(() => refuseAlone(checkValues(daemonOptions, given, {}))).toThrow(message);
});

it("refuses to leave no target at all", () => {
  const options = checkValues(daemonOptions, { edge: false, serverless: false }, {});
  const silent = pino({ level: "silent" });
  expect(() => usedFunctions(options, chosenPolicy(options), silent)).toThrow(
    "--no-edge and --no-serverless leave no target; allowed: at least one edge or function",
  );
});

it.each([
  ["127.0.0.1", "http://127.0.0.1:8080", true],
  ["127.0.0.1", "http://localhost:8080", true],
  ["localhost", "http://127.0.0.1:8080", true],
  ["127.0.0.1", "http://[::1]:8080", true],
  ["0.0.0.0", "http://127.0.0.1:8080", true],
  ["127.0.0.1", "http://0.0.0.0:8080", true],
  ["::", "http://localhost:8080", true],
  ["10.0.0.7", "http://10.0.0.7:8080", true],
  ["127.0.0.1", "http://127.0.0.1:8081", false],
  ["127.0.0.1", "http://10.0.0.7:8080", false],
  ["10.0.0.7", "http://127.0.0.1:8080", false],
])("listening on %s:8080, tells that %s is itself: %s", (host, url, isItself) => {
  const refuse = (): void => refuseOwnAddress({ host, port: 8_080 }, [{ name: "edge", url }], []);
  if (isItself) expect(refuse).toThrow(`--edge is the queue itself: ${url}`);
  else expect(refuse).not.toThrow();
});

it("tells that a function is itself, and knows no address of its own before it has a port", () => {
  const functions = [{ ...small, url: "http://localhost:8080" }];
  expect(() => refuseOwnAddress({ host: "127.0.0.1", port: 8_080 }, [], functions)).toThrow(
    "--functions: small is the queue itself",
  );
  expect(() => refuseOwnAddress({ host: "127.0.0.1", port: 0 }, [], functions)).not.toThrow();
});

it("spends the allowance over a minute, or as long as is said, and only with spillway", () => {
  const given = (...flags: string[]): DaemonOptions => {
    const command = addOptions(new Command(), daemonOptions).exitOverride();
    command.parse(["node", "vqueue", ...flags]);
    return readOptions(command, daemonOptions, {});
  };
  expect(chosenPolicy(given())).not.toHaveProperty("spendAllowanceMs");
  expect(chosenPolicy(given("--spend-allowance"))).toMatchObject({ spendAllowanceMs: 600_000 });
  expect(chosenPolicy(given("--spend-allowance", "60"))).toMatchObject({ spendAllowanceMs: 60_000 });
  expect(() => given("--spend-allowance", "0.5")).toThrow("1 to 86400");
  expect(() => chosenPolicy(given("--policy", "fixed", "--spend-allowance"))).toThrow(
    "it is allowed with --policy spillway only",
  );
});
