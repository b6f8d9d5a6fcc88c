/** What a V2 server says about a model, completed by the shapes that the user gives. */
import { type DescribedModel, describedModel } from "../../client/daemon/profile/example-input.ts";
import { throwUsage } from "../../base/usage-error.ts";
import type { HttpAuth } from "../../client/transports/http-auth.ts";
import { httpTransport } from "../../client/transports/http-transport.ts";
import type { InputShapes } from "./input-shapes.ts";

/** Longest time until the server describes the model, in milliseconds. */
const answerTimeoutMs = 10_000;

/**
 * Asks the server for the model's inputs.
 *
 * @throws UsageError that says why there is no usable description (rejects)
 */
export async function describeModel(
  url: string,
  model: string,
  shapes: InputShapes,
  auth: HttpAuth,
): Promise<DescribedModel> {
  const transport = httpTransport({ url, connections: 1, auth });
  try {
    const { status, body } = await transport.get(`/v2/models/${encodeURIComponent(model)}`, answerTimeoutMs);
    const text = new TextDecoder().decode(body);
    if (status !== 200) throw new Error(`${url} answers status ${status}: ${text.slice(0, 300)}`);
    return describedWith(model, withShapes(text, shapes));
  } catch (error) {
    throwUsage(error);
  } finally {
    await transport.close();
  }
}

function describedWith(model: string, metadata: string): DescribedModel {
  try {
    return describedModel(model, new TextEncoder().encode(metadata));
  } catch (error) {
    throw new Error(`${model}: ${(error as Error).message}; give them with --shapes`, { cause: error });
  }
}

interface Described {
  readonly inputs?: { readonly name: string; readonly parameters?: object }[];
}

/** The metadata with the given shapes as example shapes, in the form that our own servers use. */
function withShapes(text: string, shapes: InputShapes): string {
  if (shapes.size === 0) return text;
  const described = JSON.parse(text) as Described;
  const unknown = [...shapes.keys()].find((name) => !described.inputs?.some((input) => input.name === name));
  if (unknown !== undefined) throw new Error(`the model has no input "${unknown}"`);
  const inputs = described.inputs?.map((input) => {
    const shape = shapes.get(input.name);
    if (shape === undefined) return input;
    return { ...input, parameters: { ...input.parameters, example_shape: JSON.stringify(shape) } };
  });
  return JSON.stringify({ ...described, inputs });
}
