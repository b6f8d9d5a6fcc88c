import { request } from "node:http";
import { text } from "node:stream/consumers";
import { expect, it } from "vitest";
import { eventually, functionNamed, newGate, start } from "../../../test/support/function-host.ts";
import { acs3Authorization, acs3Date, contentSha256, signedHeaderNames } from "../../../base/acs3.ts";

const path = "/2023-03-30/functions/f/invocations";
let nonces = 0;

interface Signing {
  readonly body?: string;
  readonly announced?: string;
  readonly nonce?: string | undefined;
  readonly more?: Record<string, string>;
  readonly target?: string;
}

/** Send a call signed by hand, which may be wrong in ways in which the SDK never is. */
async function send(
  endpoint: string,
  signing: Signing = {},
): Promise<{ status: number; Code?: string; text: string }> {
  const { body = "a", announced = body, nonce = `n${(nonces += 1)}`, more = {}, target = path } = signing;
  const hash = contentSha256(Buffer.from(announced));
  const headers: Record<string, string> = {
    host: endpoint,
    "x-acs-date": acs3Date(Date.now()),
    "x-acs-content-sha256": hash,
    ...(nonce !== "" && { "x-acs-signature-nonce": nonce }),
    ...more,
  };
  const url = new URL(target, `http://${endpoint}`);
  const signedHeaders = signedHeaderNames(headers);
  const parts = { method: "POST", path: url.pathname, query: [...url.searchParams], headers, signedHeaders };
  headers["authorization"] = acs3Authorization("key", "secret", { ...parts, contentSha256: hash });
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: "POST", headers }, (response) => {
      void text(response).then((answer) => {
        const { Code } = answer.startsWith("{") ? JSON.parse(answer) : {};
        resolve({ status: response.statusCode ?? 0, Code, text: answer });
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

it("takes a request once: its nonce is needed, and refused the second time", async () => {
  const { endpoint } = await start();
  expect(await send(endpoint, { nonce: "once" })).toMatchObject({ status: 200, text: "a" });
  expect(await send(endpoint, { nonce: "once" })).toMatchObject({ status: 400, Code: "SignatureNonceUsed" });
  expect(await send(endpoint, { nonce: "" })).toMatchObject({ status: 400, Code: "MissingRequiredHeader" });
});

it("refuses heads that are too large, and a body that is not the signed one", async () => {
  const { endpoint, list } = await start();
  const big = { "x-acs-more": "x".repeat(8_000) };
  expect(await send(endpoint, { more: big })).toMatchObject({ status: 400, Code: "InvalidArgument" });
  const target = `${path}?q=${"x".repeat(4_096)}`;
  expect(await send(endpoint, { target })).toMatchObject({ status: 400, Code: "InvalidArgument" });
  expect(await send(endpoint, { body: "b", announced: "a" })).toMatchObject({
    status: 403,
    Code: "SignatureNotMatch",
  });
  expect(await list()).toEqual([]);
});

it("refuses a date that is off, by its own clock", async () => {
  const { endpoint } = await start({ nowUnixMs: () => Date.now() + 16 * 60_000 });
  expect(await send(endpoint)).toMatchObject({ status: 403, Code: "SignatureNotMatch" });
});

it("does not wait for the body of a request that is signed wrongly", async () => {
  const { endpoint } = await start();
  const status = await new Promise((resolve, reject) => {
    const headers = { "x-acs-date": "never", "content-length": "1000000" };
    const sent = request(`http://${endpoint}${path}`, { method: "POST", headers }, (response) => {
      resolve(response.statusCode);
      sent.destroy();
    });
    sent.on("error", reject);
    sent.write("the first bytes, and no more");
  });
  expect(status).toBe(400);
});

it("holds no more bodies at a time than it has room for, and has the room again when calls end", async () => {
  const { endpoint, busy } = await start({ maxHeldBytes: 1_000, functions: [functionNamed("f")] });
  const gate = newGate();
  const held = send(endpoint, { body: gate.order });
  await busy(1);
  const large = { body: "x".repeat(980) };
  expect(await send(endpoint, large)).toMatchObject({ status: 429, Code: "ResourceExhausted" });
  gate.open();
  expect((await held).status).toBe(200);
  await eventually(async () => expect((await send(endpoint, large)).status).toBe(200));
});

it("answers 502 when a function sets a header of the platform's, or too many", async () => {
  const { invoke } = await start();
  for (const name of ["x-fc-forged", "x-big"]) {
    await expect(invoke(`!forge ${name}`)).rejects.toMatchObject({ statusCode: 502, code: "BadResponse" });
  }
  expect((await invoke("!forge x-fc-status")).headers["x-fc-error-type"]).toBe("UnhandledInvocationError");
});
