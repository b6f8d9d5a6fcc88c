/** A minute of more requests than the edge can serve: see `overload.test.ts`. */
import { describe, it } from "vitest";
import { checkOverload, overloadedEdges } from "../support/overload-cases.ts";

describe.each(overloadedEdges)("an edge with %s", (_, edge) => {
  it.each([1.3, 2, 5, 10])("keeps its goodput at %s times its rate for a minute", (factor) => {
    checkOverload(edge, factor, 60);
  });
});
