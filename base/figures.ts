/** How figures of a replay are written for a person, the same in tables, pages and summaries. */

/** With two decimals; `-` where there is nothing to tell. */
export function percent(share: number | null): string {
  return share === null ? "-" : `${(share * 100).toFixed(2)} %`;
}

/** With four digits that count; `-` where there is nothing to tell. */
export function figure(value: number | null): string {
  return value === null ? "-" : String(Number(value.toPrecision(4)));
}
