/** What a caller needs for each path of our V2 servers. A path that nobody has thought of needs as much as inference. */
import type { Scope } from "../../base/access/api-keys.ts";

/**
 * @returns undefined for health and the server's name, which balancers ask without a key, and for the dashboard, which asks
 *   for a proof itself
 */
export function neededScope(path: string): Scope | undefined {
  if (isDashboard(path)) return undefined;
  const [first, second, third] = path
    .split("/")
    .filter((part) => part !== "")
    .map((part) => part.toLowerCase());
  if (first === "admin") return "admin";
  if (first === "metrics" || first === "queue_size_metrics") return "metrics";
  if (first !== "v2") return "infer";
  if (second === undefined || second === "health") return undefined;
  return second === "repository" && third === "models" ? "admin" : "infer";
}

/** Whether a path is that of the dashboard or below it. */
export function isDashboard(path: string): boolean {
  return path === "/dashboard" || path.startsWith("/dashboard/");
}
