/** The parameters that a policy can be tuned by. A policy that is not tuned uses their defaults. */

export interface Parameter {
  readonly default: number;
  /** Values that a search tries; they include the default. */
  readonly candidates: readonly number[];
}

/** By name. A name that ends in `Part` is a part of the SLO or of the largest batch. */
export type ParameterGrid = Readonly<Record<string, Parameter>>;

export type ParameterValues<Grid extends ParameterGrid = ParameterGrid> = {
  readonly [Name in keyof Grid]: number;
};

/**
 * @example
 * defaultValues({ timeoutPart: { default: 0.4, candidates: [0.2, 0.4] } }); // { timeoutPart: 0.4 }
 */
export function defaultValues<Grid extends ParameterGrid>(grid: Grid): ParameterValues<Grid> {
  const entries = Object.entries(grid).map(([name, parameter]) => [name, parameter.default] as const);
  return Object.fromEntries(entries) as ParameterValues<Grid>;
}
