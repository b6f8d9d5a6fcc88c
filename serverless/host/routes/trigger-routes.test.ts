import { expect, it } from "vitest";
import { eventually, functionNamed, sdk, start } from "../../../test/support/function-host.ts";
import { acs3Authorization, acs3Date } from "../../../base/acs3.ts";

function signature(method: string, path: string, secret: string): Record<string, string> {
  const headers = { "x-acs-date": acs3Date(Date.now()) };
  const parts = { method, path, query: [], headers, signedHeaders: ["x-acs-date"], contentSha256: "" };
  return { ...headers, authorization: acs3Authorization("key", secret, parts) };
}

it("passes a request through to the function as it came, and the function's own answer back", async () => {
  const { endpoint, bill, list } = await start({
    functions: [functionNamed("f", { triggerAuth: "anonymous" })],
  });
  const url = `http://${endpoint}/trigger/f/v2/a%20b/infer?x=1&y=%2F`;
  const headers = { "x-own-header": "7", "x-fc-forged": "1", "content-type": "text/x" };
  const answer = await fetch(url, { method: "PUT", body: "hello", headers });
  expect(answer.status).toBe(200);
  expect(answer.headers.get("x-own")).toBe("1");
  expect(answer.headers.get("x-fc-request-id")).toMatch(/^1-/);
  const seen = (await answer.json()) as { headers: Record<string, string> };
  expect(seen).toMatchObject({ method: "PUT", url: "/v2/a%20b/infer?x=1&y=%2F", body: "hello" });
  expect(seen.headers).toMatchObject({
    "x-own-header": "7",
    "content-type": "text/x",
    "x-fc-control-path": "/http-invoke",
    "x-fc-request-id": answer.headers.get("x-fc-request-id"),
  });
  expect(seen.headers["x-fc-forged"]).toBeUndefined();
  const root = (await (await fetch(`http://${endpoint}/trigger/f?x=1`)).json()) as { url: string };
  expect(root.url).toBe("/?x=1");
  for (const status of [404, 204]) {
    expect((await fetch(url, { headers: { "x-status": String(status) } })).status).toBe(status);
  }
  expect((await fetch(url, { method: "HEAD" })).status).toBe(200);
  expect((await bill()).functions["f"]).toMatchObject({ calls: 5, coldStarts: 1, errors: 1 });
  expect(await list()).toHaveLength(1);
});

it("asks for a signature over path and date where the function was defined so", async () => {
  const { endpoint } = await start({ functions: [functionNamed("f", { triggerAuth: "function" })] });
  const path = "/trigger/f/x";
  const status = async (headers: Record<string, string>): Promise<number> =>
    (await fetch(`http://${endpoint}${path}`, { method: "POST", body: "b", headers })).status;
  expect(await status({})).toBe(400);
  expect(await status(signature("POST", path, "wrong"))).toBe(403);
  expect(await status(signature("POST", "/trigger/f/y", "secret"))).toBe(403);
  expect(await status(signature("POST", path, "secret"))).toBe(200);
});

it("creates, shows, changes and deletes triggers through the official SDK", async () => {
  const { endpoint, ours } = await start();
  const url = `http://${endpoint}/trigger/f/x`;
  expect((await fetch(url)).status).toBe(404);
  const create = async (triggerConfig: object) =>
    ours.createTrigger(
      "f",
      new sdk.CreateTriggerRequest({
        body: new sdk.CreateTriggerInput({
          triggerName: "web",
          triggerType: "http",
          triggerConfig: JSON.stringify(triggerConfig),
        }),
      }),
    );
  await expect(create({ authType: "jwt" })).rejects.toMatchObject({
    code: "InvalidArgument",
    message: expect.stringContaining('authType is "jwt"; allowed: anonymous, function'),
  });
  const { body } = await create({ authType: "anonymous", methods: ["GET"] });
  expect(body).toMatchObject({
    triggerName: "web",
    triggerType: "http",
    httpTrigger: { urlInternet: `http://${endpoint}/trigger/f` },
  });
  expect((await ours.getTrigger("f", "web")).body).toEqual(body);
  expect((await ours.listTriggers("f", new sdk.ListTriggersRequest({}))).body?.triggers).toEqual([body]);
  expect((await fetch(url)).status).toBe(200);
  expect((await fetch(url, { method: "POST" })).status).toBe(405);
  const triggerConfig = JSON.stringify({ authType: "anonymous", methods: ["GET", "POST"] });
  const update = async (given: ConstructorParameters<typeof sdk.UpdateTriggerInput>[0]) =>
    ours.updateTrigger("f", "web", new sdk.UpdateTriggerRequest({ body: new sdk.UpdateTriggerInput(given) }));
  await expect(update({ triggerConfig, qualifier: "prod" })).rejects.toMatchObject({
    message: expect.stringContaining('qualifier is "prod"; allowed: LATEST'),
  });
  expect((await update({ triggerConfig })).body).toMatchObject({
    triggerId: body?.triggerId,
    createdTime: body?.createdTime,
    triggerConfig,
  });
  expect((await fetch(url, { method: "POST" })).status).toBe(200);
  await expect(create({})).rejects.toMatchObject({ statusCode: 409, code: "TriggerAlreadyExists" });
  expect((await ours.deleteTrigger("f", "web")).statusCode).toBe(204);
  await eventually(async () => expect((await fetch(url)).status).toBe(404));
});
