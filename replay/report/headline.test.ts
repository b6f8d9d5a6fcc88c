import { describe, expect, it } from "vitest";
import { cheapestOf, headline, inOrder, type NamedRun } from "./headline.ts";
import { stylesOf } from "./style.ts";

const scenario = { sloMs: 1_000, sloQuantile: 0.99, lanes: {} };

function run(policy: string, inSloShare: number, cost: number): NamedRun {
  return { policy, summary: { requests: 12_000, inSloShare, cost, currency: "CNY" } };
}

describe("the headline", () => {
  it("says of one policy whether it meets the SLO, and at what cost", () => {
    expect(headline([run("spillway", 0.9993, 1.2)], scenario)).toBe(
      "spillway meets the SLO (99 % within 1000 ms): 99.93 % for 1.2 CNY, of 12,000 requests.",
    );
    expect(headline([run("greedy", 0.9, 1.2)], scenario)).toContain("greedy misses the SLO");
  });

  it("names of several the cheapest that meets the SLO, the next one, and those that miss it", () => {
    const runs = [run("fixed", 0.995, 2.1), run("greedy", 0.5, 0), run("spillway", 0.9995, 1.2)];
    expect(headline(runs, scenario)).toBe(
      "Of 3 policies spillway is the cheapest that meets the SLO (99 % within 1000 ms): 99.95 % for 1.2 CNY; next is fixed for" +
        " 2.1 CNY. greedy misses it.",
    );
    expect(cheapestOf(runs, scenario)?.policy).toBe("spillway");
    expect(inOrder(runs, scenario).map(({ policy }) => policy)).toEqual(["spillway", "fixed", "greedy"]);
  });

  it("names all that cost the same, and does not count the search that knows the future", () => {
    const runs = [run("a", 1, 0), run("b", 0.999, 0), run("c", 1, 3), run("hindsight", 1, 0)];
    expect(headline(runs, scenario)).toBe(
      "Of 3 policies a and b are the cheapest that meet the SLO (99 % within 1000 ms): 100.00 % for 0 CNY; next is c for 3" +
        " CNY. All meet it.",
    );
  });

  it("says which came nearest when none meets it, and that nothing arrived", () => {
    expect(headline([run("a", 0.5, 1), run("b", 0.9, 2)], scenario)).toContain("b comes nearest: 90.00 %");
    const none = { policy: "a", summary: { requests: 0, inSloShare: null, cost: 0, currency: "CNY" } };
    expect(headline([none], scenario)).toBe("No request arrived.");
  });
});

describe("the lines of many policies", () => {
  const names = Array.from({ length: 10 }, (_, index) => `policy-${index}`);

  it("have the best three in colour and the rest in grey, each with a dash of its own", () => {
    const styles = stylesOf(names, ["policy-7", "policy-2", "policy-4", ...names]);
    const coloured = names.filter((name) => !/^#(8a8f96|71767d)$/.test(styles.get(name)?.color ?? ""));
    expect(coloured).toEqual(["policy-2", "policy-4", "policy-7"]);
    const looks = names.map((name) => JSON.stringify(styles.get(name)));
    expect(new Set(looks).size).toBe(10);
  });

  it("are all in colour up to six", () => {
    const styles = stylesOf(names.slice(0, 6), names);
    expect(new Set([...styles.values()].map(({ color }) => color)).size).toBe(6);
  });
});
