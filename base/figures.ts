/** How figures are written for people in tables, pages and summaries. */

/** A share as a percentage with two decimals; `-` for null. */
export function percent(share: number | null): string {
  return share === null ? "-" : `${(share * 100).toFixed(2)} %`;
}

/** A number with four significant digits; `-` for null. */
export function figure(value: number | null): string {
  return value === null ? "-" : String(Number(value.toPrecision(4)));
}
