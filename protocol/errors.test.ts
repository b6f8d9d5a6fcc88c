import { expect, test } from "vitest";
import { errorBody, ProtocolError } from "./errors.ts";

test("an error blames the message with 400 unless told otherwise", () => {
  expect(new ProtocolError("no").status).toBe(400);
  expect(new ProtocolError("no", 502)).toMatchObject({ name: "ProtocolError", message: "no", status: 502 });
});

test("the error body has the one field the protocol asks for", () => {
  expect(errorBody("no such model")).toEqual({ error: "no such model" });
});
