import { expect, it } from "vitest";
import { stringsFromBytes } from "../../../protocol/bytes-elements.ts";
import type { InferRequest } from "../../../protocol/message.ts";
import { tensorFromStrings } from "../../../protocol/tensor.ts";
import { smallDaemon } from "../../../test/support/small-daemon.ts";
import { createV2Ingress } from "./v2.ts";

const shout = {
  name: "shout",
  inputs: [{ name: "text", datatype: "BYTES" as const, shape: [-1] }],
  outputs: [
    {
      name: "said",
      datatype: "BYTES" as const,
      shape: [-1],
      parameters: { content: "json" },
    },
  ],
};

function textsOf({ inputs: [input] }: InferRequest): string[] {
  return input === undefined ? [] : stringsFromBytes(input.data, input.shape[0] ?? 0, "text");
}

/** Answers each text as JSON in capitals; refuses a call that holds "bad". */
function shouted(request: InferRequest) {
  const texts = textsOf(request);
  if (texts.includes("bad")) return { status: 400, error: "that is no picture" };
  const said = texts.map((text) => JSON.stringify({ text: text.toUpperCase() }));
  return [tensorFromStrings("said", [said.length], said)];
}

async function appOf(options: Partial<Parameters<typeof smallDaemon>[0]> = {}) {
  const small = await smallDaemon({ metadata: shout, serve: shouted, ...options });
  const app = createV2Ingress(small.daemon, { maxBodyBytes: 10_000, onFault: () => {} });
  const predict = async (body: FormData | string, model = "shout") => {
    const answer = await app.request(`/v2/models/${model}/predict`, { method: "POST", body });
    return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
  };
  return { ...small, predict };
}

function formOf(...texts: string[]): FormData {
  const form = new FormData();
  for (const text of texts) form.append("file", new File([text], "a.txt"));
  return form;
}

it("takes a form with files or the bytes of one, and answers plain JSON for each file", async () => {
  const { predict } = await appOf();
  expect(await predict(formOf("good morning", "hello"))).toMatchObject({
    status: 200,
    json: {
      model_name: "shout",
      parameters: { spillway_target: "edge" },
      predictions: [{ said: { text: "GOOD MORNING" } }, { said: { text: "HELLO" } }],
    },
  });
  expect((await predict("one")).json["predictions"]).toEqual([{ said: { text: "ONE" } }]);
});

it("joins the files of several callers, and fails only the caller whose file is bad", async () => {
  const { predict, calls } = await appOf();
  const answers = await Promise.all(["a", "bad", "c", "d"].map((text) => predict(text)));
  expect(answers.map(({ status }) => status)).toEqual([200, 400, 200, 200]);
  expect(answers[3]?.json["predictions"]).toEqual([{ said: { text: "D" } }]);
  // How many come in time for the first call is the machine's affair.
  expect(calls[0]).toBeGreaterThan(1);
});

it("says what is wrong with an empty body, a form without files and a model that takes numbers", async () => {
  const { predict } = await appOf();
  expect(await predict("")).toMatchObject({ status: 400, json: { error: /the body is empty/ } });
  expect(await predict(new FormData())).toMatchObject({ status: 400 });
  expect(await predict("x", "other")).toMatchObject({ status: 404, json: { error: /no model "other"/ } });
  const numbers = { ...shout, inputs: [{ name: "x", datatype: "FP32" as const, shape: [-1, 3] }] };
  expect(await (await appOf({ metadata: numbers })).predict("x")).toMatchObject({
    status: 400,
    json: { error: 'model "shout" takes x FP32[-1,3]; allowed: BYTES[-1]' },
  });
});
