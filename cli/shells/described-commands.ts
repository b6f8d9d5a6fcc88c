/** What there is to type: every command with its options, as the completion of shells and the man page need it. */
import { Command, type Option } from "commander";
import { argumentName, fieldsOf } from "../../base/program/option-schema.ts";
import { addOptions } from "../../base/program/options.ts";
import type { ListedCommand } from "../commands.ts";

export interface DescribedOption {
  /** Such as `--port`, and `-m` where it has a short form. */
  readonly names: readonly string[];
  readonly description: string;
  /** How help calls its value; undefined when it takes none. */
  readonly value: string | undefined;
  /** The values that it takes, where they are few. */
  readonly choices: readonly string[];
  /** Whether its value may be a path. */
  readonly mayBePath: boolean;
}

export interface DescribedCommand {
  /** One word or two. */
  readonly name: string;
  readonly description: string;
  readonly options: readonly DescribedOption[];
  /** What may be given without a flag, in order. */
  readonly places: readonly { readonly name: string; readonly choices: readonly string[] }[];
}

/** In the order of the list. */
export function describeCommands(commands: readonly ListedCommand[]): Promise<DescribedCommand[]> {
  return Promise.all(commands.map(describe));
}

async function describe({ name, description, schema: load }: ListedCommand): Promise<DescribedCommand> {
  const schema = await load();
  const { options } = addOptions(new Command(name), schema);
  const places = fieldsOf(schema).flatMap((field) => {
    const place = field.schema[argumentName] as string | undefined;
    return place === undefined ? [] : [{ name: place, choices: (field.schema.enum ?? []) as string[] }];
  });
  return { name, description, options: options.filter(({ hidden }) => !hidden).map(optionOf), places };
}

function optionOf({ long, short, flags, description, argChoices }: Option): DescribedOption {
  const value = /[<[]([^<[>\]]+)[>\]]$/.exec(flags)?.[1];
  const choices = argChoices ?? [];
  return {
    names: [long, short].filter((name) => name !== undefined && name !== null),
    description,
    value,
    choices,
    mayBePath: value !== undefined && value !== "number" && choices.length === 0,
  };
}
