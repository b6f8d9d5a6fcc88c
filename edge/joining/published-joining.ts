/** What clients are told of a model's rows, as parameters of its metadata, and which requests it takes by them. */
import { ProtocolError } from "../../protocol/errors.ts";
import type { InferRequest, ModelMetadata } from "../../protocol/message.ts";
import type { ModelConfig } from "../models/model-config.ts";
import { checkInputs } from "../models/model-runner.ts";
import { requestRows, rowStructure } from "./row-structure.ts";

/** The names are those of the parameters. */
export interface PublishedJoining {
  /** Whether rows of several requests may run together. */
  readonly join_rows: boolean;
  /** True where that holds for the shapes of requests whose answers say `spillway_joins`, as each shape is proved. */
  readonly join_by_shape?: boolean;
  /** Most rows of one run, where there is a bound. */
  readonly max_batch_rows?: number;
  /** N, when the model's batch is fixed at N rows. */
  readonly fixed_rows?: number;
}

export function publishedJoining(
  metadata: ModelMetadata,
  config: ModelConfig | undefined,
  joinsRows: boolean,
  isByShape = false,
): PublishedJoining {
  const { fixedRows } = rowStructure(metadata);
  const most = Math.min(config?.maxBatchRows ?? Infinity, fixedRows ?? Infinity);
  return {
    join_rows: joinsRows,
    ...(isByShape && { join_by_shape: true }),
    ...(most < Infinity && { max_batch_rows: most }),
    ...(fixedRows !== undefined && { fixed_rows: fixedRows }),
  };
}

/**
 * Check the inputs of a request, which may have other rows than a batch that is fixed when its rows are separate.
 *
 * @throws ProtocolError (400) when they do not fit the model, or have other rows that may depend on each other
 */
export function checkRequest(
  metadata: ModelMetadata,
  { inputs, template }: Pick<InferRequest, "inputs" | "template">,
  { hasSeparateRows, isOff }: { readonly hasSeparateRows: boolean; readonly isOff: boolean },
): void {
  const known = template?.fits;
  if (known?.metadata === metadata && known.hasSeparateRows === hasSeparateRows) return;
  const { fixedRows } = rowStructure(metadata);
  const rows = requestRows(inputs);
  const hasOtherRows = fixedRows !== undefined && rows !== undefined && rows !== fixedRows;
  checkInputs(metadata, inputs, hasOtherRows);
  if (hasOtherRows && !hasSeparateRows) throw notByRows(metadata.name, rows, fixedRows, isOff);
  if (template !== undefined) template.fits = { metadata, hasSeparateRows };
}

/** The refusal of a request whose rows are not those of a fixed batch, when its rows may depend on each other. */
export function notByRows(model: string, rows: number, fixedRows: number, isOff: boolean): ProtocolError {
  const why = isOff
    ? 'its settings say "joinRows: false"'
    : 'its rows are not known to be independent of each other; if they are, say "joinRows: true" in its settings';
  return new ProtocolError(
    `the request has ${rows} rows; the batch of model ${model} is fixed at ${fixedRows}, and ${why}; ` +
      `allowed: ${fixedRows} rows`,
  );
}
