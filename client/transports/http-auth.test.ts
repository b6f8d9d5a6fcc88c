import { expect, it } from "vitest";
import { functionAuth } from "./http-auth.ts";

const key = { ALIBABA_CLOUD_ACCESS_KEY_ID: "ak", ALIBABA_CLOUD_ACCESS_KEY_SECRET: "sk" };

it("takes tokens and keys from the environment", () => {
  expect(functionAuth("none", {})).toEqual({ kind: "none" });
  expect(functionAuth("bearer", { FUNCTION_BEARER_TOKEN: "t" })).toEqual({ kind: "bearer", token: "t" });
  expect(functionAuth("acs3", key)).toEqual({ kind: "acs3", accessKeyId: "ak", accessKeySecret: "sk" });
  expect(functionAuth("acs3", { ...key, ALIBABA_CLOUD_SECURITY_TOKEN: "sts" })).toMatchObject({
    securityToken: "sts",
  });
});

it("says what is missing or cannot be sent, and never what it is", () => {
  expect(() => functionAuth("bearer", {})).toThrow("--function-auth bearer needs FUNCTION_BEARER_TOKEN");
  expect(() => functionAuth("acs3", {})).toThrow("ALIBABA_CLOUD_ACCESS_KEY_ID");
  let message = "";
  try {
    functionAuth("bearer", { FUNCTION_BEARER_TOKEN: "hidden\n" });
  } catch (error) {
    message = (error as Error).message;
  }
  expect(message).toContain("FUNCTION_BEARER_TOKEN");
  expect(message).not.toContain("hidden");
});
