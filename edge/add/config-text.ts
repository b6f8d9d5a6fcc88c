/** The commented `config.yaml` of a model that was added: what was found, and what could be set. */
import { stringify } from "yaml";
import type { TensorMetadata } from "../../protocol/message.ts";
import { shapeText } from "../../protocol/tensor.ts";
import type { TriedHandler } from "./fitting-handler.ts";
import type { TriedModel } from "./try-model.ts";

const bytesPerMib = 2 ** 20;

/**
 * @param source what it was made from, in words
 * @param on the handler that callers' pictures go to; undefined for tensors
 * @param hasWarmUp whether a run on zeros of the example's shapes works
 */
export function configText(
  source: string,
  tried: TriedModel,
  handlers: readonly TriedHandler[],
  on: TriedHandler | undefined,
  hasWarmUp: boolean,
): string {
  const lines = foundLines(tried).map((line) => `# ${line}`);
  return [
    `# Written by "spillway add" from ${source}. All settings: docs/reference/model-config.md`,
    ...lines,
    ...handlers.flatMap((each) => handlerLines(each, each === on)),
    ...(hasWarmUp && on === undefined ? warmUpLines(tried) : []),
    "",
  ].join("\n");
}

/** What was found, a line for each: for the settings and for the terminal. */
export function foundLines({ metadata, joining, serviceMs, memoryBytes }: TriedModel): string[] {
  const times = [...serviceMs].map(([rows, ms]) => `${rows} ${rows === 1 ? "row" : "rows"} ${figure(ms)} ms`);
  return [
    `inputs:  ${metadata.inputs.map(tensorText).join(", ")} (-1: any size)`,
    `outputs: ${metadata.outputs.map(tensorText).join(", ")}`,
    `batch:   ${batchText(metadata.inputs)}`,
    ...(joining === undefined
      ? []
      : [`sharing: requests ${joining.joinsRows ? "share runs" : "run alone"}: ${joining.reason}`]),
    ...(times.length === 0 ? [] : [`time:    ${times.join(", ")} on this machine`]),
    ...(memoryBytes === undefined ? [] : [`memory:  ${Math.ceil(memoryBytes / bytesPerMib)} MiB a replica`]),
  ];
}

function tensorText({ name, datatype, shape }: TensorMetadata): string {
  return `${name} ${datatype}${shapeText(shape)}`;
}

function batchText(inputs: readonly TensorMetadata[]): string {
  const firsts = new Set(inputs.flatMap(({ shape }) => (shape.length === 0 ? [] : [shape[0] as number])));
  const [first] = firsts;
  if (firsts.size === 0) return "no input has rows";
  if (firsts.has(-1)) return firsts.size === 1 ? "any number of rows" : "any number of rows of some inputs";
  return firsts.size === 1 ? `fixed at ${first}` : `fixed, and different for each input`;
}

/** Where nothing but a list of numbers speaks for a handler, whether pictures are what callers send is theirs to say. */
function handlerLines({ handler, settings, labels, why, fault }: TriedHandler, isOn: boolean): string[] {
  if (fault !== undefined) return ["#", `# The handler ${handler} does not fit:`, `#   ${fault}`];
  const hasSettings = Object.keys(settings).length > 0;
  const lines = stringify({
    handler,
    ...(labels !== undefined && { labels }),
    ...(hasSettings && { settings }),
  })
    .trimEnd()
    .split("\n");
  const check = [
    "# It answered a made-up picture. Check with one of yours: where answers are wrong, set mean, std, scale, channels",
    "# and invert (dark on light) as the model was trained (docs/guide/handlers.md).",
  ];
  if (isOn)
    return [
      "#",
      `# Callers send pictures: ${why}.`,
      "# Without the handler they send tensors.",
      ...check,
      ...lines,
    ];
  return [
    "#",
    `# To send pictures instead of tensors, take the # from these lines: ${why}.`,
    ...check,
    ...lines.map((line) => `# ${line}`),
  ];
}

/** The shapes of the example, which are worth keeping only where the metadata leaves them open. */
export function warmUpOf({ metadata, example }: TriedModel): Record<string, number[]>[] {
  const isOpen = metadata.inputs.some(({ shape }) => shape.includes(-1, 1));
  if (example === undefined || !isOpen) return [];
  return [Object.fromEntries(example.inputs.map(({ name, shape }) => [name, [...shape]]))];
}

function warmUpLines(tried: TriedModel): string[] {
  const shapes = warmUpOf(tried);
  if (shapes.length === 0) return [];
  return [
    "#",
    "# A run of this shape works. Set the sizes that your callers send.",
    `warmUp: ${JSON.stringify(shapes)}`,
  ];
}

function figure(ms: number): string {
  return ms >= 100 ? ms.toFixed(0) : ms.toPrecision(2);
}
