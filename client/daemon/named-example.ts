/** Asks an edge for a request that suits one of its models. */
import { decodeInferRequest } from "../../protocol/decode.ts";
import type { InferRequest } from "../../protocol/message.ts";
import { modelPath } from "../../protocol/model-path.ts";
import type { DirectoryEdge } from "./directory-edges.ts";

/** Most bytes of a request that an edge names as an example. */
const mostExampleBytes = 17 * 2 ** 20;

/** A request that suits the model, as an edge of ours names one; undefined when this server does not, or makes no sense. */
export async function namedExample(
  { transport }: Pick<DirectoryEdge, "transport">,
  model: string,
  timeoutMs: number,
): Promise<InferRequest | undefined> {
  try {
    const reply = await transport.get(`${modelPath(model)}/example`, timeoutMs, mostExampleBytes);
    return reply.status === 200 ? decodeInferRequest(reply.body, reply.headerBytes) : undefined;
  } catch {
    return undefined;
  }
}
