/** The requests that are sent to a model: zeros in its shapes, rendered text, or pictures. */
import type { DescribedModel, ExampleModel } from "../../client/daemon/profile/example-input.ts";
import { payloadExample, payloadRequests } from "../../client/daemon/profile/payload/payload-requests.ts";
import { edgeAuth } from "../../client/transports/http-auth.ts";
import { describeModel } from "./model-description.ts";
import type { PayloadOptions } from "./options.ts";
import { BodyCycle } from "./v2-caller.ts";
import type { Tensor } from "../../protocol/tensor.ts";

type AskedModel = PayloadOptions & { readonly url: string; readonly model: string };

/** @throws UsageError when the model cannot be described or the payload does not suit it (rejects) */
export async function loadBodies(options: AskedModel): Promise<BodyCycle> {
  return new BodyCycle(await payloadRequests(options, await described(options)));
}

/** The model with requests of any number of rows. Throws like `loadBodies`. */
export async function exampleOf(options: AskedModel): Promise<ExampleModel> {
  return payloadExample(options, await described(options));
}

/** One kibibyte of zeros, for a server that ignores it. */
export function plainBodies(): BodyCycle {
  const input: Tensor = { name: "x", datatype: "FP32", shape: [1, 256], data: new Uint8Array(1_024) };
  return new BodyCycle([{ parameters: {}, inputs: [input] }]);
}

function described({ url, model, shapes, auth }: AskedModel): Promise<DescribedModel> {
  const proof = edgeAuth(auth, "--auth", process.env);
  return describeModel(url, model, shapes ?? new Map(), proof);
}
