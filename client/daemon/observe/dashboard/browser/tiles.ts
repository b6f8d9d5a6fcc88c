/** The key figures below the first sentence. */
import type { Tile } from "../../../../../base/dashboard/browser/headline.ts";
import type { SeriesBuffer } from "../../../../../base/dashboard/browser/series.ts";
import { duration, figureText, money, percentText } from "../../../../../base/dashboard/browser/text.ts";
import type { WireNow } from "../wire.ts";

export function tilesOf(now: WireNow, fine: SeriesBuffer): Tile[] {
  const { recent, lanes, money: spent, sloMs, sloQuantile, targets } = now;
  const missed = recent.late + recent.refused + recent.failed;
  const ended = missed + recent.inTime;
  const share = ended === 0 ? null : recent.inTime / ended;
  const span = recent.spanMs >= 295_000 ? "5 min" : duration(recent.spanMs);
  const rows = lanes.reduce((sum, lane) => sum + lane.rows, 0);
  const requests = lanes.reduce((sum, lane) => sum + lane.requests, 0);
  const inFlight = targets.reduce((sum, target) => sum + target.inFlight, 0);
  const isShort = share !== null && sloQuantile !== null && share < sloQuantile;
  const isSlow = recent.p99Ms !== null && recent.p99Ms > sloMs;
  return [
    {
      name: "Arrivals",
      value: `${figureText(lastRate(fine))} /s`,
      note: `${figureText(recent.arrived)} in ${span}`,
    },
    {
      name: "In time",
      value: percentText(share),
      note: `${figureText(missed)} not, in ${span}${sloQuantile === null ? "" : `; aim ${percentText(sloQuantile)}`}`,
      look: isShort ? "bad" : "",
    },
    {
      name: "99 % answered within",
      value: duration(recent.p99Ms),
      note: `SLO ${duration(sloMs)}`,
      look: isSlow && lanes.length < 2 ? "warn" : "",
    },
    {
      name: "Waiting",
      value: counted(rows, "row"),
      note: `${counted(requests, "request")}; ${counted(inFlight, "batch", "batches")} under way`,
    },
    ...moneyTiles(spent),
  ];
}

function moneyTiles({
  hasFunctions,
  perHour,
  alonePerHour,
  currency,
  hour,
  day,
  isReached,
}: WireNow["money"]): Tile[] {
  if (!hasFunctions) return [{ name: "Money", value: "nothing", note: "no functions, so nothing is billed" }];
  const saved = alonePerHour === null ? "" : `functions alone: ${money(alonePerHour, currency)}`;
  const look = isReached ? { look: "bad" } : {};
  return [
    { name: "Money an hour", value: money(perHour, currency), note: saved },
    {
      name: "Spent in the last hour",
      value: money(hour.spent, currency),
      note:
        hour.limit === null
          ? day.limit === null
            ? "no cap is set"
            : `${money(day.spent, currency)} of ${money(day.limit, currency)} a day`
          : `cap ${money(hour.limit, currency)} an hour`,
      ...look,
    },
  ];
}

function counted(count: number, noun: string, nouns = `${noun}s`): string {
  return `${figureText(count)} ${count === 1 ? noun : nouns}`;
}

/** Over the last ten seconds. */
function lastRate(fine: SeriesBuffer): number | null {
  const values = fine
    .column("arrivals", "")
    .slice(-10)
    .filter((value) => value !== null);
  return values.length === 0
    ? null
    : (values.reduce((sum, value) => sum + value, 0) / values.length) * (1_000 / fine.stepMs);
}
