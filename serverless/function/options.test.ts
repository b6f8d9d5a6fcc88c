import { expect, it } from "vitest";
import { functionPort } from "./options.ts";

it("listens where Function Compute says, else where other platforms do, else on 9000", () => {
  const all = { FC_SERVER_PORT: "1", FC_CUSTOM_LISTEN_PORT: "2", PORT: "3" };
  expect(functionPort(all)).toBe(1);
  expect(functionPort({ ...all, FC_SERVER_PORT: undefined })).toBe(2);
  expect(functionPort({ ...all, FC_SERVER_PORT: "", FC_CUSTOM_LISTEN_PORT: "" })).toBe(3);
  expect(functionPort({})).toBe(9_000);
});

it("refuses a value that is not a port, and names the variable", () => {
  expect(() => functionPort({ PORT: "http" })).toThrow('PORT is "http"; allowed: an integer, 0 to 65535');
  expect(() => functionPort({ FC_SERVER_PORT: "70000", PORT: "1" })).toThrow(/FC_SERVER_PORT is "70000"/);
});
