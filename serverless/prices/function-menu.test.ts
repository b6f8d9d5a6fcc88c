import { expect, it } from "vitest";
import { functionGpu, functionMenu } from "./function-menu.ts";

it("reads the same functions from a text and from a list", () => {
  const menu = [
    { name: "small", vcpu: 0.5, memoryMib: 1_024, url: undefined },
    { name: "large", vcpu: 2, memoryMib: 4_096, url: "http://127.0.0.1:9001" },
  ];
  expect(functionMenu.parse("small=0.5x1024, large=2x4096@http://127.0.0.1:9001")).toEqual(menu);
  const list = menu.map(({ memoryMib, ...rest }) => ({ ...rest, memory: memoryMib }));
  expect(functionMenu.parse(list)).toEqual(menu);
});

it.each([
  ["", /^NAME=VCPUxMIB, such as/],
  ["small", /^NAME=VCPUxMIB, such as .*; function 1 is "small"$/],
  ["small=1..5x1024", /function 1, vcpu is "1\.\.5"; allowed: a number, 0\.05 to 16$/],
  ["small=1x10", /function 1, memory is 10; allowed: an integer, 128 to \d+$/],
  ["small=0.5x1024,large", /; function 2 is "large"$/],
  ["small=0.5x1024,large=99x1024", /function 2, vcpu/],
  ["edge=1x512", /function 1, name is "edge"; allowed: a name other than "edge"/],
  ["a=1x512,a=2x512", /two functions have one name/],
  ["a b=1x512", /function 1, name/],
  [
    [
      { name: "a", vcpu: 1, memory: 512 },
      { name: "b", vcpu: 1, memery: 512 },
    ],
    /function 2, memory/,
  ],
  [[], /^NAME=VCPUxMIB, such as/],
])("refuses %j and says where", (menu, message) => {
  const result = functionMenu.safeParse(menu);
  expect(result.error?.issues[0]?.message).toMatch(message);
});

it("reads a GPU's card and memory, and refuses other texts", () => {
  expect(functionGpu.parse("ada:0.5")).toEqual({ card: "ada", memoryGib: 0.5 });
  for (const gpu of ["ada", "ada:0", ":16", "ada:1.2.3", "ada:16GB"])
    expect(() => functionGpu.parse(gpu)).toThrow("CARD:GIB with more than 0 GiB");
});
