/** Bodies in gzip and deflate, both ways. */
import { deflateSync, gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { type Call } from "../v2-caller.ts";
import { infer, input, simple } from "./simple-request.ts";

export function compression(call: Call, url: () => string): void {
  const body = new TextEncoder().encode(JSON.stringify(simple));
  it.each([
    ["gzip", gzipSync(body)],
    ["deflate", deflateSync(body)],
  ])("takes a body in %s", async (coding, compressed) => {
    const answer = await call(infer, new Uint8Array(compressed), { headers: { "content-encoding": coding } });
    expect(answer).toMatchObject({ status: 200, json: { id: "42" } });
  });

  it("refuses other codings, and bodies that are not what they say", async () => {
    const headers = (coding: string) => ({ headers: { "content-encoding": coding } });
    expect((await call(infer, body, headers("br"))).status).toBe(415);
    expect((await call(infer, body, headers("gzip"))).status).toBe(400);
  });

  it("refuses a small body that would become a large one", async () => {
    const bomb = gzipSync(new Uint8Array(200 * 2 ** 20));
    const answer = await call(infer, new Uint8Array(bomb), { headers: { "content-encoding": "gzip" } });
    expect(answer.status).toBe(413);
  });

  it("compresses answers for those who take it, and gives others plain ones", async () => {
    const rows = Array.from({ length: 64 * 16 }, () => 1);
    const large = JSON.stringify({
      inputs: [input("INPUT0", rows, [64, 16]), input("INPUT1", rows, [64, 16])],
    });
    const ask = async (accept: string): Promise<Response> =>
      fetch(`${url()}${infer}`, { method: "POST", body: large, headers: { "accept-encoding": accept } });
    for (const coding of ["gzip", "deflate"]) {
      const answer = await ask(coding);
      expect(answer.headers.get("content-encoding")).toBe(coding);
      expect(await answer.json()).toMatchObject({ model_name: "simple" });
    }
    expect((await ask("identity")).headers.get("content-encoding")).toBeNull();
  });
}
