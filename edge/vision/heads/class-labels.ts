/** Which label belongs to which class of an output. */

/** As lists of labels name the background; a number without a name, as the 0 of lists that count from 1, counts too. */
export function isBackground(label: string | undefined): boolean {
  return label !== undefined && /^(_*background_*|\?\?\?|n\/a|)$/i.test(label.trim());
}

/**
 * The labels of the classes, without the background where it comes before them. Throws an Error of one line when they are
 * more or fewer than the classes, because then the wrong ones would be answered.
 *
 * @param place the output, as an error names it
 */
export function labelsOfClasses(
  labels: readonly string[],
  classes: number,
  place: string,
): readonly string[] {
  if (labels.length === classes) return labels;
  if (labels.length === classes + 1 && isBackground(labels[0])) return labels.slice(1);
  throw new Error(`labels has ${labels.length} entries; allowed: ${classes}, one for each class of ${place}`);
}
