/**
 * Modules of packages that are imported alone, because the whole package makes the start of every program longer: undici
 * loads 111 files for its pool's 30, and prom-client 78, with OpenTelemetry, for 11.
 */
declare module "undici/lib/dispatcher/pool.js" {
  import type { Pool as Whole } from "undici";
  /** Without what the main module adds to it, such as `request`. */
  type Pool = Pick<Whole, "on" | "dispatch" | "stats" | "close" | "destroy">;
  const Pool: new (origin: string, options?: Whole.Options) => Pool;
  export default Pool;
}
declare module "prom-client/lib/counter.js" {
  export { Counter as default } from "prom-client";
}
declare module "prom-client/lib/gauge.js" {
  export { Gauge as default } from "prom-client";
}
declare module "prom-client/lib/histogram.js" {
  export { Histogram as default } from "prom-client";
}
declare module "prom-client/lib/registry.js" {
  export { Registry as default } from "prom-client";
}
