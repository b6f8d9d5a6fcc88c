/** What a server says of the model that `infer` sends to: what it takes, and how many rows may come together. */
import { z } from "zod";
import { UsageError } from "../../base/usage-error.ts";
import { metadataIn } from "../../client/daemon/ingress/known-configuration.ts";
import type { HttpTransport } from "../../client/transports/http-transport.ts";
import { jsonIn } from "../../client/transports/reply-text.ts";
import { modelPath } from "../../protocol/model-path.ts";
import type { ModelMetadata } from "../../protocol/message.ts";

/** Longest time until the server describes the model, in milliseconds. */
const answerTimeoutMs = 20_000;

export interface BulkModel {
  readonly metadata: ModelMetadata;
  /** The metadata as it came. */
  readonly description: Uint8Array;
  /** Most rows of a request of several items; 1 where the model is not known to treat rows apart. */
  readonly mostRows: number;
}

const joining = z.object({
  parameters: z
    .object({ join_rows: z.boolean().optional(), max_batch_rows: z.number().optional() })
    .partial()
    .catch({}),
});
const configuration = z.object({ max_batch_size: z.number().catch(0) });

/** @throws UsageError that says why nothing can be sent (rejects) */
export async function bulkModel(transport: HttpTransport, url: string, model: string): Promise<BulkModel> {
  const path = modelPath(model);
  const { status, body } = await transport.get(path, answerTimeoutMs).catch((error: Error) => {
    throw new UsageError(`--url: ${error.message}`);
  });
  if (status !== 200) throw new UsageError(`--model ${model}: ${url} answers ${status}: ${errorIn(body)}`);
  const metadata = metadataIn(body);
  if (metadata === undefined) throw new UsageError(`--model ${model}: its metadata at ${url} makes no sense`);
  const { parameters } = joining.catch({ parameters: {} }).parse(jsonIn(body));
  const reply = await transport.get(`${path}/config`, answerTimeoutMs).catch(() => undefined);
  const config = configuration
    .catch({ max_batch_size: 0 })
    .parse(reply?.status === 200 ? jsonIn(reply.body) : {});
  const stated = config.max_batch_size > 0 ? config.max_batch_size : (parameters.max_batch_rows ?? 0);
  const isApart = parameters.join_rows === true || (parameters.join_rows === undefined && stated > 1);
  return { metadata, description: body, mostRows: isApart ? (stated > 0 ? stated : Infinity) : 1 };
}

function errorIn(body: Uint8Array): string {
  const { error } = (jsonIn(body) ?? {}) as { error?: unknown };
  return typeof error === "string" ? error.slice(0, 500) : "no words of a V2 server";
}
