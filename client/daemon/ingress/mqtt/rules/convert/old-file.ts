/** The form of rule file that plants already have: brokers, functions with devices and attributes, and rules. */
import { z } from "zod";

const text = z.coerce.string();
const flag = z.union([z.boolean(), z.enum(["true", "false"]).transform((given) => given === "true")]);

const attribute = z.looseObject({
  attrName: text.optional(),
  attrValue: z.unknown().optional(),
  attrExpression: text.optional(),
});
const device = z.looseObject({ deviceName: text.optional(), deviceAttr: z.array(attribute).nullish() });
const func = z.looseObject({
  modelName: text,
  modelAddress: text.optional(),
  modelMd5: text.optional(),
  devices: z.array(device).nullish(),
});
const mqtt = z.looseObject({
  name: text,
  broker: text,
  qos: z.coerce.number().optional(),
  retain: flag.optional(),
});
const side = z.looseObject({
  name: text,
  clientId: text.optional(),
  topic: text,
  timeout: z.coerce.number().optional(),
});

export const oldRules = z.looseObject({
  expose: z.unknown().optional(),
  funcs: z.array(func).nullish(),
  mqtts: z.array(mqtt).nullish(),
  rules: z.array(z.looseObject({ sub: side, pub: side })).nullish(),
});

export type OldRules = z.output<typeof oldRules>;
export type OldFunction = z.output<typeof func>;
export type OldDevice = z.output<typeof device>;
export type OldBroker = z.output<typeof mqtt>;
export type OldRule = NonNullable<OldRules["rules"]>[number];

/** Notes what is not carried over, by its place in the older file. */
export type NoteLoss = (place: string, text: string) => void;
