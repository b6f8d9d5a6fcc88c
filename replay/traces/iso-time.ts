/** ISO 8601 date-times, read by arithmetic, because recorded traces have more decimals than a `Date` keeps. */

export interface IsoTime {
  /** Whole seconds since 1970-01-01T00:00:00Z. */
  readonly wholeS: number;
  /** The rest, in [0, 1) seconds. */
  readonly fractionS: number;
}

const pattern =
  /^\s*(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)([.,]\d+)?\s*(?:Z|([+-])(\d\d):?(\d\d))?\s*$/i;

/** A date-time without a zone counts as UTC. Undefined when the text is not a date-time. */
export function parseIsoTime(text: string): IsoTime | undefined {
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const fields = match.slice(1, 7).map(Number);
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = fields;
  const [zoneHour, zoneMinute] = [Number(match[9] ?? 0), Number(match[10] ?? 0)];
  const isDate = month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month);
  if (!isDate || hour > 23 || minute > 59 || second > 59 || zoneHour > 23 || zoneMinute > 59)
    return undefined;
  const zoneS = (match[8] === "-" ? -1 : 1) * (zoneHour * 3_600 + zoneMinute * 60);
  return {
    wholeS: daysSinceEpoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - zoneS,
    fractionS: match[7] === undefined ? 0 : Number(`0.${match[7].slice(1)}`),
  };
}

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

function daysIn(year: number, month: number): number {
  if (month === 2) return isLeap(year) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days from 1970-01-01 in the Gregorian calendar: those of the years before, then those of the year. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const before = year - 1;
  const leaps = Math.floor(before / 4) - Math.floor(before / 100) + Math.floor(before / 400);
  // 719,162 days lie before 1970-01-01, counted from 0001-01-01.
  let days = before * 365 + leaps - 719_162 + day - 1;
  for (let past = 1; past < month; past++) days += daysIn(year, past);
  return days;
}
