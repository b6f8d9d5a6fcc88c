import { expect, it } from "vitest";
import { crc64 } from "./crc64.ts";

it("is the checksum that object storage of the vendor gives for its test text", () => {
  expect(crc64(Buffer.from("123456789"))).toBe("11051210869376104954");
});

it("is 0 of nothing", () => {
  expect(crc64(new Uint8Array())).toBe("0");
});
