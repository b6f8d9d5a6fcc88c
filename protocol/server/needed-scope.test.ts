import { expect, it } from "vitest";
import { neededScope } from "./needed-scope.ts";

it.for([
  ["/v2", undefined],
  ["/v2/health/ready", undefined],
  ["/v2/models/m/infer", "infer"],
  ["/v2/repository/models/m/load", "admin"],
  ["/ADMIN/status", "admin"],
  ["/admin/mqtt/schema", "admin"],
  ["/metrics", "metrics"],
  ["/queue_size_metrics", "metrics"],
  ["/anything", "infer"],
] as const)("%s needs the scope %s", ([path, scope]) => {
  expect(neededScope(path)).toBe(scope);
});
