/** The figures that a policy can be tuned by. A policy that is not tuned works with their defaults. */

export interface Parameter {
  readonly default: number;
  /** What a search tries, the default among them. */
  readonly candidates: readonly number[];
}

/** By name. Names that end in `Part` are parts of the SLO, or of the largest batch. */
export type ParameterGrid = Readonly<Record<string, Parameter>>;

export type ParameterValues<Grid extends ParameterGrid = ParameterGrid> = {
  readonly [Name in keyof Grid]: number;
};

export function defaultValues<Grid extends ParameterGrid>(grid: Grid): ParameterValues<Grid> {
  const entries = Object.entries(grid).map(([name, parameter]) => [name, parameter.default] as const);
  return Object.fromEntries(entries) as ParameterValues<Grid>;
}
