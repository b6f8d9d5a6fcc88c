/** A model's configuration in Triton's form, from what is known of it, for edges that do not tell theirs. */
import { z } from "zod";
import { isDatatype } from "../../../protocol/datatype.ts";
import { readParameters } from "../../../protocol/fields.ts";
import type { ModelMetadata } from "../../../protocol/message.ts";
import { jsonIn } from "../../transports/reply-text.ts";
import type { BatchRule } from "../joining/batch-rules.ts";

const tensor = z
  .object({
    name: z.string(),
    datatype: z.string().refine(isDatatype),
    shape: z.array(z.coerce.number().int()),
    parameters: z.unknown().optional(),
  })
  .transform(({ parameters, ...plain }) => {
    return { ...plain, parameters: readParameters(parameters, "parameters", true) };
  });
const tensors = z.array(tensor).default([]);
const metadata = z.object({
  name: z.string(),
  platform: z.string().catch(""),
  inputs: tensors,
  outputs: tensors,
});

/** The metadata in a server's answer; undefined when it makes no sense. */
export function metadataIn(body: Uint8Array): ModelMetadata | undefined {
  return metadata.safeParse(jsonIn(body)).data;
}

/** Where batches have a bound, shapes lack the first dimension, as Triton's do. */
export function knownConfiguration(
  { name, platform, inputs, outputs }: ModelMetadata,
  { joins, mostRows }: BatchRule,
): object {
  const mostJoined = joins && mostRows < Infinity ? mostRows : 0;
  const configured = ({ name: tensorName, datatype, shape }: ModelMetadata["inputs"][number]): object => ({
    name: tensorName,
    data_type: datatype === "BYTES" ? "TYPE_STRING" : `TYPE_${datatype}`,
    dims: mostJoined > 0 ? shape.slice(1) : shape,
  });
  return {
    name,
    platform,
    max_batch_size: mostJoined,
    input: inputs.map(configured),
    output: outputs.map(configured),
  };
}
