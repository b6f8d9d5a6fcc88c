/**
 * The form of rule file that plants already have: brokers, functions with devices and attributes, and rules. Earlier files
 * have other words for some keys, and name one device and point at the function itself.
 */
import { z } from "zod";

const text = z.coerce.string();

/** Reads earlier words for keys as those of today. */
function renamed<S extends z.ZodType>(words: Readonly<Record<string, string>>, schema: S) {
  return z.preprocess((value: unknown) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [words[key] ?? key, each as unknown]),
    );
  }, schema);
}

const flag = z.union([z.boolean(), z.enum(["true", "false"]).transform((given) => given === "true")]);

const attribute = z.looseObject({
  attrName: text.optional(),
  attrValue: z.unknown().optional(),
  attrExpression: text.optional(),
});
const device = renamed(
  { device: "deviceAttr" },
  z.looseObject({
    deviceName: text.optional(),
    deviceAttr: z.array(attribute).nullish(),
    deviceParseExpression: text.optional(),
    pointName: text.optional(),
    pointParseExpression: text.optional(),
  }),
);
const func = renamed(
  { model_address: "modelAddress", model_md5: "modelMd5", model_name: "modelName" },
  z.looseObject({
    modelName: text,
    modelAddress: text.optional(),
    modelMd5: text.optional(),
    devices: z.array(device).nullish(),
    deviceName: text.optional(),
    pointName: text.optional(),
  }),
);
const mqtt = z.looseObject({
  name: text,
  broker: text,
  qos: z.coerce.number().optional(),
  retain: flag.optional(),
});
const side = renamed(
  { clientid: "clientId" },
  z.looseObject({
    name: text,
    clientId: text.optional(),
    topic: text,
    timeout: z.union([z.number(), z.string()]).optional(),
  }),
);
/** The earliest files name a function at the rule itself. */
const rule = z.looseObject({ sub: side, pub: side, name: text.optional(), func: text.optional() });

export const oldRules = z.looseObject({
  expose: z.unknown().optional(),
  funcs: z.array(func).nullish(),
  mqtts: z.array(mqtt).nullish(),
  rules: z.array(rule).nullish(),
});

export type OldRules = z.output<typeof oldRules>;
export type OldFunction = z.output<typeof func>;
export type OldDevice = z.output<typeof device>;
export type OldBroker = z.output<typeof mqtt>;
export type OldRule = NonNullable<OldRules["rules"]>[number];

/** Notes what is not carried over, by its place in the older file. */
export type NoteLoss = (place: string, text: string) => void;
