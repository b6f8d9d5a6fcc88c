/** ISO 8601 date-times with all their decimals, of which recorded traces have more than a `Date` keeps. */

export interface IsoTime {
  /** Whole seconds since 1970-01-01T00:00:00Z. */
  readonly wholeS: number;
  /** The rest, in [0, 1) seconds. */
  readonly fractionS: number;
}

const pattern = /^\s*(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)([.,]\d+)?(?:\s*(?:Z|([+-])(\d\d):?(\d\d)))?\s*$/i;

/** A date-time without a zone counts as UTC. Undefined when the text is not a date-time. */
export function parseIsoTime(text: string): IsoTime | undefined {
  const [whole, date, time, decimals, sign, zoneHour = 0, zoneMinute = 0] = pattern.exec(text) ?? [];
  if (whole === undefined || Number(zoneHour) > 23 || Number(zoneMinute) > 59) return undefined;
  const atMs = Date.parse(`${date}T${time}Z`);
  // A day or an hour that does not exist is either refused or counted as a later one.
  if (Number.isNaN(atMs) || !new Date(atMs).toISOString().startsWith(`${date}T${time}`)) return undefined;
  const zoneS = (sign === "-" ? -1 : 1) * (Number(zoneHour) * 3_600 + Number(zoneMinute) * 60);
  return {
    wholeS: atMs / 1_000 - zoneS,
    fractionS: decimals === undefined ? 0 : Number(`0.${decimals.slice(1)}`),
  };
}
