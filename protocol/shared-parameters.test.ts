import { expect, test } from "vitest";
import { sharedEntries } from "./shared-parameters.ts";

test("parameters that steer transport or scheduling need not agree, all others must", () => {
  const parameters = {
    z: 1,
    timeout: 5,
    priority: 1,
    binary_data: true,
    binary_data_output: true,
    spillway_route: "edge",
    a: "x",
  };
  expect(sharedEntries(parameters)).toEqual([
    ["a", "x"],
    ["z", 1],
  ]);
  expect(sharedEntries(undefined)).toEqual([]);
});
