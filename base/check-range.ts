/** @throws RangeError that names the value and what is allowed, unless `isAllowed` */
export function checkRange(name: string, value: number, isAllowed: boolean, allowed: string): void {
  if (!isAllowed) throw new RangeError(`${name} is ${value}; allowed: ${allowed}`);
}

/** @throws RangeError unless the value is a finite number that is not negative */
export function checkAmount(name: string, value: number): void {
  checkRange(name, value, value >= 0 && value < Infinity, "a finite number of at least 0");
}

/** @throws RangeError unless the value is an integer from `low` to `high` */
export function checkInteger(name: string, value: number, low: number, high = Infinity): void {
  if (Number.isInteger(value) && value >= low && value <= high) return;
  checkRange(name, value, false, `an integer from ${low}${high < Infinity ? ` to ${high}` : ""}`);
}
