/** Figures as the dashboards write them, in the reader's own time zone. */

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayAndClock = new Intl.DateTimeFormat("en-GB", {
  weekday: "short",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});

/** Three digits that count, such as 12.3 or 1,230; "–" for null. */
export function figureText(value: number | null | undefined): string {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 0.001) return value.toExponential(1);
  if (size >= 99.95) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(3)));
}

/** Of milliseconds, in the unit in which they are easily read. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || Number.isNaN(ms)) return "–";
  const size = Math.abs(ms);
  if (size > 0 && size < 0.01) return "<0.01 ms";
  if (size < 1_000) return `${figureText(ms)} ms`;
  if (size < 120_000) return `${figureText(ms / 1_000)} s`;
  if (size < 7_200_000) return `${figureText(ms / 60_000)} min`;
  return size < 172_800_000 ? `${figureText(ms / 3_600_000)} h` : `${figureText(ms / 86_400_000)} d`;
}

/** With its sign. */
export function signed(text: string, value: number): string {
  return value > 0 ? `+${text}` : text.replace("-", "−");
}

/** Never "100 %" for less than all, nor "0 %" for more than none. */
export function percentText(share: number | null): string {
  if (share === null || Number.isNaN(share)) return "–";
  const points = share * 100;
  if (points <= 0) return "0 %";
  if (points >= 100) return "100 %";
  if (points > 99.9) return "99.9 %";
  return points < 0.1 ? "0.1 %" : `${Number(points.toFixed(points >= 99 || points < 10 ? 1 : 0))} %`;
}

export function money(amount: number | null | undefined, currency: string): string {
  if (amount === null || amount === undefined || Number.isNaN(amount)) return "–";
  if (amount === 0) return `0 ${currency}`;
  if (amount < 0.0001) return `<0.0001 ${currency}`;
  return `${amount >= 100 ? Math.round(amount).toLocaleString("en") : amount.toFixed(amount >= 0.1 ? 2 : 4)} ${currency}`;
}

/** Of bytes, in binary units. */
export function bytes(count: number | null | undefined): string {
  if (count === null || count === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let [value, unit] = [count, 0];
  while (value >= 1_000 && unit < units.length - 1) [value, unit] = [value / 1_024, unit + 1];
  return `${figureText(value)} ${units[unit]}`;
}

/** The time of day; with the day of the week when that is not today. */
export function moment(unixMs: number, nowUnixMs: number): string {
  const isNear = Math.abs(nowUnixMs - unixMs) < 12 * 3_600_000;
  return (isNear ? clock : dayAndClock).format(unixMs);
}

/** Puts times in the place of `{time:1764540000000}`. */
export function withMoments(text: string, nowUnixMs: number): string {
  return text.replaceAll(/\{time:(\d{1,16})\}/g, (_, unixMs: string) => moment(Number(unixMs), nowUnixMs));
}
