/** The menu of function sizes as people write it: for the queue, which calls them, and the host, which runs them. */
import { z } from "zod";
import { numberOrText } from "../../base/program/number-or-text.ts";
import { serverUrl } from "../../base/program/option-fields.ts";
import { schemaFaults } from "../../base/program/schema-fault.ts";
import { functionName, sizeLimits } from "./fc-limits.ts";

/** A function of one size. */
export interface FunctionVariant {
  readonly name: string;
  readonly vcpu: number;
  readonly memoryMib: number;
  /** Where it is called as a V2 server; undefined: it is called through its platform. */
  readonly url?: string | undefined;
}

/** "edge" is taken by the other target. */
const menuName = z
  .string()
  .regex(functionName, "letters, digits, - and _, a letter or _ first")
  .refine((text) => text !== "edge", 'a name other than "edge"');

/** A GPU as text, `CARD:GIB`: a card that price sheets name, and GiB of its memory. */
export const functionGpu = z.string().transform((given, context) => {
  const [, card = "", gib] = /^([^:]+):(\d+(?:\.\d+)?)$/.exec(given) ?? [];
  const memoryGib = Number(gib);
  if (memoryGib > 0) return { card, memoryGib };
  context.addIssue("CARD:GIB with more than 0 GiB, such as ada:16");
  return z.NEVER;
});

const entry = z.strictObject({
  name: menuName,
  vcpu: z.number().min(sizeLimits.vcpu.min).max(sizeLimits.vcpu.max),
  memory: z.number().int().min(sizeLimits.memoryMib.min).max(sizeLimits.memoryMib.max),
  url: serverUrl.optional(),
});

const entries = z.array(entry).min(1);

/** `NAME=VCPUxMIB`, or `NAME=VCPUxMIB@URL`. */
const entryText = /^([^=]*)=([^x@]*)x([^@]*)(?:@(.+))?$/;

function entriesOf(text: string): unknown[] {
  return text.split(",").map((part) => {
    const [, called, vcpu, memory, url] = entryText.exec(part.trim()) ?? [];
    return called === undefined
      ? part.trim()
      : { name: called, vcpu: numberOrText(vcpu ?? ""), memory: numberOrText(memory ?? ""), url };
  });
}

/** `small=0.5x1024,large=2x4096@https://…`, or a list of `{ name, vcpu, memory, url }` with different names. */
export const functionMenu = z
  .union([z.string(), z.array(z.unknown())])
  .transform((given, context): readonly FunctionVariant[] => {
    const menu = typeof given === "string" ? entriesOf(given) : given;
    const listed = entries.safeParse(menu);
    if (!listed.success) {
      context.addIssue(faultsOf(menu, listed.error));
      return z.NEVER;
    }
    if (new Set(listed.data.map((each) => each.name)).size < listed.data.length) {
      context.addIssue(`${form}; two functions have one name`);
      return z.NEVER;
    }
    return listed.data.map(({ name, vcpu, memory, url }) => ({ name, vcpu, memoryMib: memory, url }));
  });

/** The functions of a command that is given none. */
export const defaultFunctions = "spillway=0.5x1024";

const form = "NAME=VCPUxMIB, such as small=0.5x1024,large=2x4096";

/** What is allowed, and where it is not kept. A text that has not the form at all is still a text. */
function faultsOf(menu: unknown, { issues }: z.ZodError): string {
  const faults = schemaFaults(entries, menu, issues).map(({ path: [index, ...field], text }) => {
    if (index === undefined) return `the list ${text}`;
    const place = `function ${Number(index) + 1}`;
    const whole = (menu as unknown[])[Number(index)];
    if (field.length > 0) return `${place}, ${field.join(".")} ${text}`;
    return typeof whole === "string" ? `${place} is ${JSON.stringify(whole)}` : `${place} ${text}`;
  });
  return [form, ...faults].join("; ");
}
