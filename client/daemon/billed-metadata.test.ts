import { expect, it } from "vitest";
import { BilledMetadata } from "./billed-metadata.ts";
import { SpillwayError } from "../../base/errors.ts";

/** Two functions, of which the second knows the model `known` and neither any other. */
function twoFunctions() {
  const now = { ms: 0 };
  const asked: string[] = [];
  const body = new TextEncoder().encode("{}");
  const server = (name: string) => ({
    get: (path: string) => {
      asked.push(`${name} ${path}`);
      if (path !== "known") return Promise.resolve({ status: 404, body });
      if (name === "b") return Promise.resolve({ status: 200, body });
      return Promise.reject(new SpillwayError("spend_cap_reached"));
    },
  });
  return { now, asked, functions: new BilledMetadata([server("a"), server("b")], () => now.ms) };
}

it("is the answer of the first function that has one, whatever became of those before", async () => {
  const { asked, functions } = twoFunctions();
  expect(await functions.of("known")).toMatchObject({ status: 200 });
  expect(asked).toEqual(["a known", "b known"]);
});

it("is not asked for again within a minute when no function had it, nor twice at the same time", async () => {
  const { now, asked, functions } = twoFunctions();
  await Promise.all([functions.of("none"), functions.of("none")]);
  now.ms = 59_000;
  await functions.of("none");
  expect(asked).toHaveLength(2);
  now.ms = 61_000;
  await functions.of("none");
  expect(asked).toHaveLength(4);
});

it("is asked for seldom, however many names somebody makes up", async () => {
  const { now, asked, functions } = twoFunctions();
  for (let name = 0; name < 1_000; name++) await functions.of(`made-up-${name}`);
  expect(asked).toHaveLength(30);
  for (let name = 0; name < 1_000; name++) {
    now.ms += 100;
    await functions.of(`more-${name}`);
  }
  expect(asked.length).toBeLessThanOrEqual(40);
});

it("is kept, so that neither a model nor a misspelt name costs a call for each request", async () => {
  const { now, asked, functions } = twoFunctions();
  for (let request = 0; request < 100; request++) {
    expect([await functions.verdict("known"), await functions.verdict("none")]).toEqual(["has", "lacks"]);
    now.ms += 500;
  }
  expect(asked.sort()).toEqual(["a known", "a none", "b known", "b none"]);
});

it("tells a function that lacks a model from one that does not answer, or may not be asked", async () => {
  const functions = new BilledMetadata(
    [{ get: () => Promise.reject(new SpillwayError("target_unreachable", "away")) }],
    () => 0,
  );
  expect(await functions.verdict("m")).toBe("failed");
  expect(functions.answered(0)).toEqual({ why: "away" });
  for (let name = 0; name < 100; name++) await functions.verdict(`made-up-${name}`);
  expect(await functions.verdict("another")).toBe("not asked");
  expect(await new BilledMetadata([], () => 0).verdict("m")).toBe("lacks");
});

it("counts a function that takes questions for inferences as one that has the model", async () => {
  const reply = { status: 400, body: new TextEncoder().encode('{"error":"the body is empty"}') };
  const functions = new BilledMetadata([{ get: () => Promise.resolve(reply) }], () => 0);
  expect([await functions.verdict("m"), await functions.of("m")]).toEqual(["has", undefined]);
});
