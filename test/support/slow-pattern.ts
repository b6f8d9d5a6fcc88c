/**
 * Why a regular expression may take more time than in proportion to the text that it reads. `scslre` knows repetitions that
 * share what they take, and searches that begin with a repetition; here are also found searches that begin anew within what
 * a repetition has taken, such as `<[^>]*>` in `<<<<<<`.
 *
 *     whySlow({ source: "^\\s*x?\\s*$", flags: "" }); // "two repetitions take the same"
 *     whySlow({ source: "<[^>]*>", flags: "" }); // "a search begins anew within what it has read"
 */
import { CharSet, JS, NFA, type NoParent, type Node, isDisjointWith } from "refa";
import { analyse } from "scslre";

interface Literal {
  readonly source: string;
  readonly flags: string;
}

type Plain<Type extends Node["type"]> = NoParent<Extract<Node, { type: Type }>>;
type Concatenation = Plain<"Concatenation">;
type Element = Concatenation["elements"][number];

/** Undefined when it takes time in proportion to the text. */
export function whySlow(literal: Literal): string | undefined {
  const [report] = analyse(literal, { assumeRejectingSuffix: false }).reports;
  if (report !== undefined)
    return report.type === "Move" ? "a search begins with a repetition" : "two repetitions take the same";
  if (/\\(?:[1-9]|k<)/.test(literal.source)) return "nobody can say, since it refers back";
  const { expression, maxCharacter } = JS.Parser.fromLiteral(literal).parse();
  const search = new Search(CharSet.all(maxCharacter));
  if (search.repeatsAmbiguously(expression.alternatives))
    return "two alternatives of a repetition take the same";
  return !literal.flags.includes("y") && search.restarts(expression.alternatives, [], [])
    ? "a search begins anew within what it has read"
    : undefined;
}

class Search {
  readonly #all: CharSet;
  readonly #any: Element;
  readonly #lineEnd: Element;

  constructor(all: CharSet) {
    this.#all = all;
    const one: Concatenation = {
      type: "Concatenation",
      elements: [{ type: "CharacterClass", characters: all }],
    };
    this.#any = { type: "Quantifier", min: 0, max: Infinity, lazy: false, alternatives: [one] };
    const lineEnds = [10, 13, 0x2028, 0x2029].map((code) => ({ min: code, max: code }));
    const characters = CharSet.empty(all.maximum).union(lineEnds);
    this.#lineEnd = { type: "CharacterClass", characters };
  }

  /** Whether a repetition may take a text in two ways, since two of its alternatives begin it. */
  repeatsAmbiguously(alternatives: readonly Concatenation[]): boolean {
    const elements = alternatives.flatMap((each) => each.elements);
    return elements.some((element) => {
      if (element.type !== "Alternation" && element.type !== "Quantifier") return false;
      if (this.repeatsAmbiguously(element.alternatives)) return true;
      if (element.type !== "Quantifier" || element.max < Infinity) return false;
      const ways = element.alternatives.map((each) => this.#automaton([...each.elements, element]));
      return ways.some((way, index) => ways.slice(0, index).some((other) => !isDisjointWith(way, other)));
    });
  }

  /** @param before what is matched before the alternatives, and what `after` them */
  restarts(
    alternatives: readonly Concatenation[],
    before: readonly Element[],
    after: readonly Element[],
  ): boolean {
    return alternatives.some(({ elements }) =>
      elements.some((element, index) => {
        const [head, tail] = [
          [...before, ...elements.slice(0, index)],
          [...elements.slice(index + 1), ...after],
        ];
        if (element.type === "Alternation") return this.restarts(element.alternatives, head, tail);
        if (element.type !== "Quantifier") return false;
        if (element.max < Infinity) return this.restarts(element.alternatives, head, tail);
        return this.#startsWithin(head, element) && this.#canFail(element, tail);
      }),
    );
  }

  /** Whether a repetition takes texts with which the search may begin. */
  #startsWithin(head: readonly Element[], repetition: Element): boolean {
    const [first, ...others] = head;
    const isAnchor = first?.type === "Assertion" && first.kind === "behind" && first.negate;
    if (isAnchor && this.#isAll(first.alternatives)) return false;
    // A line begins behind an end of a line, which is taken as well.
    const start = isAnchor ? [this.#lineEnd, ...others] : head;
    return !isDisjointWith(this.#automaton([this.#any, ...start, this.#any]), this.#automaton([repetition]));
  }

  /** Whether there are texts with which it does not go on behind the repetition. */
  #canFail(repetition: Plain<"Quantifier">, tail: readonly Element[]): boolean {
    const takesAll = this.#isAll(repetition.alternatives);
    const { initial, finals } = this.#automaton(tail, takesAll ? "ignore" : "disable");
    return !finals.has(initial);
  }

  #isAll([alternative]: readonly Concatenation[]): boolean {
    const [element] = alternative?.elements ?? [];
    return element?.type === "CharacterClass" && element.characters.isAll;
  }

  #automaton(elements: readonly Element[], assertions: "ignore" | "disable" = "ignore"): NFA {
    const concatenation: Concatenation = { type: "Concatenation", elements: [...elements] };
    return NFA.fromRegex(concatenation, { maxCharacter: this.#all.maximum }, { assertions });
  }
}
