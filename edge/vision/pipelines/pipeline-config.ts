/** The settings of a pipeline: stages in order, each a model, a step, or a spread into rows. */
import { z } from "zod";
import { datatypes } from "../../../protocol/datatype.ts";

const name = z.string().regex(/^[A-Za-z_][A-Za-z0-9_-]*$/, "allowed: letters, digits, _ and -");
const column = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_-]*(\.[^.]+)?$/, "allowed: INPUT or STAGE.OUTPUT")
  .describe("an input of the pipeline, or an output of a stage before: STAGE.OUTPUT");
const columns = z
  .union([column, z.array(column).min(1)])
  .describe("where the value comes from; of several columns, the first whose stage was needed");

const when = z
  .strictObject({ column, is: z.string() })
  .optional()
  .describe("only rows with this value in the column go through the stage (default: all)");

const modelStage = z.strictObject({
  name,
  model: z.string().min(1).describe("another model of this server"),
  inputs: z.record(z.string(), columns).describe("columns for the model's inputs"),
  when,
});

const stepStage = z.strictObject({
  name,
  step: z
    .enum(["crop", "turn"])
    .describe("crop: a list of the parts of a picture, within the boxes of `argument`; turn: by 180 degrees"),
  picture: columns,
  argument: columns.optional(),
  when,
});

const spreadStage = z.strictObject({
  name,
  spread: z
    .record(name, column)
    .describe("lists of equal length: each of their items becomes a row for the later stages"),
});

export const pipelineConfig = z
  .strictObject({
    inputs: z
      .record(
        name,
        z.strictObject({ datatype: z.enum(datatypes), shape: z.array(z.number().int().min(-1)).min(1) }),
      )
      .optional()
      .describe("what clients send (default: one picture a row, as `image`)"),
    stages: z
      .array(z.union([modelStage, stepStage, spreadStage]))
      .min(1)
      .max(32),
    outputs: z.record(name, columns).describe("what clients get"),
    list: name
      .default("items")
      .describe("after a spread: the output with a JSON list of the `outputs` of each item"),
  })
  .superRefine((pipeline, context) => {
    for (const message of faults(pipeline)) context.addIssue({ code: "custom", message });
  });

export type PipelineConfig = z.output<typeof pipelineConfig>;
export type Stage = PipelineConfig["stages"][number];
export type ModelStage = z.output<typeof modelStage>;
export type StepStage = z.output<typeof stepStage>;
export type SpreadStage = z.output<typeof spreadStage>;
export type Columns = z.output<typeof columns>;

interface Draft {
  readonly inputs?: Readonly<Record<string, unknown>> | undefined;
  readonly stages: readonly Stage[];
  readonly outputs: Readonly<Record<string, Columns>>;
}

/** What the schema cannot say: names are unique, columns come from earlier stages, and there is at most one spread. */
function faults({ inputs, stages, outputs }: Draft): string[] {
  const known = new Set(Object.keys(inputs ?? { image: 0 }));
  const found: string[] = [];
  const check = (place: string, wanted: Columns | undefined): void => {
    for (const each of wanted === undefined ? [] : [wanted].flat()) {
      const from = each.split(".", 1)[0] as string;
      if (!known.has(from)) found.push(`${place} takes "${each}"; allowed: ${[...known].join(", ")}`);
    }
  };
  for (const stage of stages) {
    for (const wanted of columnsOf(stage)) check(`stage ${stage.name}`, wanted);
    if (known.has(stage.name)) found.push(`the name "${stage.name}" is used twice; allowed: different names`);
    known.add(stage.name);
  }
  for (const [key, wanted] of Object.entries(outputs)) check(`output ${key}`, wanted);
  if (stages.filter((stage) => "spread" in stage).length > 1)
    found.push("there is more than one spread; allowed: one");
  return found;
}

function columnsOf(stage: Stage): (Columns | undefined)[] {
  if ("spread" in stage) return Object.values(stage.spread);
  const own = "model" in stage ? Object.values(stage.inputs) : [stage.picture, stage.argument];
  return [...own, stage.when?.column];
}
