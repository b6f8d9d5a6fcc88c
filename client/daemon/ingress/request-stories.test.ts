import { expect, it } from "vitest";
import { tensorFromNumbers } from "../../../protocol/tensor.ts";
import { smallDaemon } from "../../../test/support/small-daemon.ts";
import { createV2Ingress } from "./v2.ts";

/** A daemon before a model that answers 7, or that refuses everything. */
async function appOver(status = 200) {
  const { daemon } = await smallDaemon({
    metadata: {
      name: "m",
      versions: ["1"],
      inputs: [{ name: "x", datatype: "FP32", shape: [-1, 1] }],
      outputs: [{ name: "y", datatype: "FP32", shape: [-1, 1] }],
    },
    serve: ({ inputs }) => {
      const rows = inputs[0]?.shape[0] ?? 1;
      if (status !== 200) return { status, error: "no" };
      return [
        tensorFromNumbers(
          "y",
          "FP32",
          [rows, 1],
          Array.from({ length: rows }, () => 7),
        ),
      ];
    },
  });
  const onFault = (error: Error): never => {
    throw error;
  };
  return createV2Ingress(daemon, { maxBodyBytes: 10_000, onFault });
}

const header = "spillway-request-id";
const inputs = [{ name: "x", datatype: "FP32", shape: [1, 1], data: [1] }];
const body = JSON.stringify({ id: "caller's own", inputs });

it("gives each answer an id of our own, by which its story is found", async () => {
  const app = await appOver();
  const replies = await Promise.all(
    [1, 2].map(async () => app.request("/v2/models/m/infer", { method: "POST", body })),
  );
  const ids = replies.map(({ headers }) => headers.get(header));
  expect(new Set(ids).size).toBe(2);
  const story = await app.request(`/admin/requests/${ids[1]}`);
  expect(await story.json()).toMatchObject({ id: ids[1], model: "m", outcome: "served" });
  const list = (await (await app.request("/admin/requests")).json()) as { requests: { id: string }[] };
  expect(new Set(list.requests.map(({ id }) => id))).toEqual(new Set(ids));
});

it("gives one to errors too, of a target and of a request that never came to the queue", async () => {
  const app = await appOver(400);
  const failed = await app.request("/v2/models/m/infer", { method: "POST", body });
  expect(failed.status).toBe(400);
  const story = await app.request(`/admin/requests/${failed.headers.get(header)}`);
  expect(await story.json()).toMatchObject({ outcome: "failed" });
  const wrong = await app.request("/v2/models/m/infer", { method: "POST", body: "{" });
  const early = await app.request(`/admin/requests/${wrong.headers.get(header)}`);
  expect(await early.json()).toMatchObject({ kind: "turned-away" });
});

it("answers 404 with what is kept, and 400 to a list that it does not know", async () => {
  const app = await appOver();
  const missing = await app.request("/admin/requests/77");
  expect(missing.status).toBe(404);
  expect(await missing.json()).toMatchObject({
    error: expect.stringMatching(/^no request \w{6}-77 is kept/),
  });
  expect((await app.request("/admin/requests?only=won")).status).toBe(400);
});
