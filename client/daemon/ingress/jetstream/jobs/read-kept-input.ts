/** The input of a job from the server. What is wrong with it is told apart from those who cannot be asked now. */
import { StoredObjectFault } from "../../../../../base/nats/stored-objects.ts";
import { ProtocolError, UnavailableError } from "../../../../../protocol/errors.ts";
import type { ModelMetadata } from "../../../../../protocol/message.ts";
import { codecHere } from "../../../../../protocol/server/message-codec.ts";
import { metadataIn } from "../../known-configuration.ts";
import { readJobBody } from "../../jobs/job-body.ts";
import type { JobInput } from "../../jobs/job-input.ts";
import type { JobsOptions } from "../../jobs/jobs.ts";
import type { JobFacts } from "./job-log.ts";

/** What the targets say of a model: what it takes, nothing, or why they cannot be asked. */
type Described = { readonly metadata: ModelMetadata | undefined } | { readonly fault: Error };

/**
 * Rejects with a ProtocolError where the input is none, or is not there any more; with an UnavailableError or another error
 * where trying again may help.
 *
 * @param body null: it is not there
 */
export async function readKeptInput(
  body: Uint8Array<ArrayBuffer> | null,
  { model, type, headerBytes }: JobFacts,
  { daemon, codec = codecHere, mostBytes, maxFileBytes }: JobsOptions & { readonly maxFileBytes: number },
): Promise<JobInput> {
  if (body === null) throw new ProtocolError("its input is not there any more", 410);
  const described = await describedBy(daemon.models, model);
  const metadata = "fault" in described ? undefined : described.metadata;
  const sent = { body: body.buffer, type, headerBytes };
  try {
    return await readJobBody(sent, { codec, metadata, mostBytes, mostFileBytes: maxFileBytes });
  } catch (error) {
    // What it misses may be what nobody could say.
    if ("fault" in described && error instanceof ProtocolError)
      throw new UnavailableError(`nobody says now what the model takes: ${described.fault.message}`);
    throw error;
  }
}

async function describedBy(models: JobsOptions["daemon"]["models"], model: string): Promise<Described> {
  try {
    const { status, body } = await models.describeLately(model);
    if (status === 200) return { metadata: metadataIn(body) };
    // Another daemon may have a model that is not here any more.
    return status >= 500 || status === 404 ? { fault: new Error(`HTTP ${status}`) } : { metadata: undefined };
  } catch (error) {
    return { fault: error as Error };
  }
}

/** Why a job was given back, in one line. */
export function whyGivenBack(error: Error): string {
  return error instanceof StoredObjectFault ? `its input cannot be read: ${error.message}` : error.message;
}
