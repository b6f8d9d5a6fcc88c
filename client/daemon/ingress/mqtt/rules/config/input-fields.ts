/** How a rule makes the inputs of a model from a message. */
import { z } from "zod";
import { whole } from "../../../../../../base/program/option-fields.ts";
import { datatypes } from "../../../../../../protocol/datatype.ts";
import { formField } from "./form-field.ts";

/** Longest path, condition or template. */
export const mostTextChars = 4_096;
/** Most values of one input by one message, as a rule lists them. */
const mostSources = 4_096;

export const pathText = z.string().min(1).max(mostTextChars);
export const celText = z.string().min(1).max(mostTextChars);

const sourceObject = z.strictObject({
  path: formField(
    pathText.optional(),
    "Path",
    'Where the value is: data.telemetry.temperature, data.points[0], data["a b"], data.metrics[name=Temp].value, topic[1].',
  ),
  cel: formField(celText.optional(), "Expression", "A CEL expression whose value is taken instead."),
  text: formField(
    z.boolean().default(false),
    "Numbers as text",
    'Take a number that is written as a text, such as "86.5", too.',
  ),
  default: formField(
    z.union([z.number(), z.boolean(), z.string()]).optional(),
    "Default",
    "The value where the message has none, or null. Without one such a message is bad.",
  ),
  map: formField(
    z.record(z.string().max(256), z.number()).optional(),
    "Words",
    "Numbers for texts, true and false: { ON: 1, OFF: 0 }.",
  ),
  scale: formField(z.number().optional(), "Scale", "Multiplies the number."),
  offset: formField(z.number().optional(), "Offset", "Is added to the number, after the scale."),
  min: formField(z.number().optional(), "Least", "A number below is bad."),
  max: formField(z.number().optional(), "Most", "A number above is bad."),
});

export const valueSource = z.union([pathText, sourceObject]);

const dimension = whole(1, 2 ** 31 - 1);

export const inputFields = z.strictObject({
  name: formField(z.string().min(1).max(256), "Name", "Name of the model's input."),
  datatype: formField(
    z.enum(datatypes as [(typeof datatypes)[number], ...(typeof datatypes)[number][]]).default("FP32"),
    "Datatype",
    "Datatype of the model's input; BYTES for texts and for files such as pictures.",
  ),
  shape: formField(
    z.array(dimension).max(32).optional(),
    "Shape",
    "Dimensions, outermost first. Default: [1, number of values]; with a window [1, steps, number of values]; [1] for one text, file or JSON.",
  ),
  values: formField(
    z.array(valueSource).min(1).max(mostSources).optional(),
    "Values",
    "Paths, one for each value in the model's order. A path that leads to a list stands for all its values.",
  ),
  window: formField(
    whole(2, 65_536).optional(),
    "Window",
    "Take the values of so many messages of the same device, the oldest first. Until there are so many nothing is sent to the model.",
  ),
  windowOrder: formField(
    z.enum(["steps-first", "values-first"]).default("steps-first"),
    "Order in the window",
    "steps-first: all values of a message together; values-first: all steps of a value together.",
  ),
  base64: formField(
    pathText.optional(),
    "Base64 at",
    "Path to a text in base64 (data: URLs too): with BYTES the file itself, else the raw little-endian numbers.",
  ),
  hex: formField(pathText.optional(), "Hexadecimal at", "Likewise for a text in hexadecimal."),
  payload: formField(
    z.literal(true).optional(),
    "Whole payload",
    "The payload's bytes as they are, once decoded: with BYTES a file such as a picture, else raw numbers.",
  ),
  json: formField(
    pathText.optional(),
    "JSON of",
    "Path to a part of the message that is given as a JSON text (data for all of it). The datatype is BYTES.",
  ),
});

export type InputConfig = Readonly<z.output<typeof inputFields>>;
export type ValueSource = z.output<typeof valueSource>;
