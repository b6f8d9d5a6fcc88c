import { expect, it } from "vitest";
import { z } from "zod";
import { misspeltKeys } from "./scenario-keys.ts";

const schema = z.toJSONSchema(
  z.object({
    name: z.string(),
    link: z.object({ rttMs: z.number() }),
    times: z.record(z.string(), z.number()),
    faults: z.array(
      z.discriminatedUnion("kind", [
        z.object({ kind: z.literal("slow"), factor: z.number() }),
        z.object({ kind: z.literal("down") }),
      ]),
    ),
  }),
  { io: "input" },
);

it("finds what is nearly a known key that is absent, at any depth", () => {
  const value = {
    nmae: "x",
    link: { rttMS: 2 },
    times: { "1": 5 },
    faults: [{ kind: "down" }, { kind: "slow", factr: 2 }],
  };
  expect(misspeltKeys(value, schema)).toEqual([
    { place: "", key: "nmae", meant: "name" },
    { place: "link", key: "rttMS", meant: "rttMs" },
    { place: "faults.1", key: "factr", meant: "factor" },
  ]);
});

it("takes a key for a note when it is unlike any, or when the like one is there", () => {
  expect(misspeltKeys({ name: "x", names: "y", source: "z", link: { rttMs: 1, note: "" } }, schema)).toEqual(
    [],
  );
});

it("finds nothing in what has no keys", () => {
  for (const value of [null, 3, "name", [], [{ nmae: 1 }]]) expect(misspeltKeys(value, schema)).toEqual([]);
});
