/**
 * The number that a text says. Any other text stays as it is, so that an error can show it.
 *
 * @example
 * numberOrText("0.3"); // 0.3
 * numberOrText("0.3s"); // "0.3s"
 */
export function numberOrText(text: string): number | string {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : text;
}
