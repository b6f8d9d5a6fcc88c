/** Metrics of what the models of a server share, and of the user's programs beside them. */
import { Counter, Gauge, type Registry } from "../../base/program/metric-registry.ts";
import type { MemoryStatus } from "../memory/model-memory.ts";
import type { SupportStatus } from "../support/support-runner.ts";

export interface ServerStatus {
  /** Undefined without `--model-memory`. */
  readonly memory: MemoryStatus | undefined;
  readonly support: readonly SupportStatus[];
}

type Sample = readonly [value: number, labels?: Readonly<Record<string, string>>];
type Scraped = readonly [
  Metric: typeof Counter | typeof Gauge,
  name: string,
  help: string,
  label: string | undefined,
  of: (status: ServerStatus) => readonly Sample[],
];

const ofMemory =
  (of: (memory: MemoryStatus) => number) =>
  ({ memory }: ServerStatus): Sample[] =>
    memory === undefined ? [] : [[of(memory)]];
const ofSupport =
  (of: (program: SupportStatus) => number) =>
  ({ support }: ServerStatus): Sample[] =>
    support.map((program) => [of(program), { program: program.name }]);

const scraped: readonly Scraped[] = [
  [
    Gauge,
    "spillway_model_memory_budget_bytes",
    "Memory that models may take together",
    undefined,
    ofMemory(({ budgetBytes }) => budgetBytes),
  ],
  [
    Gauge,
    "spillway_model_memory_used_bytes",
    "Memory that models and the process that waits for one take",
    undefined,
    ofMemory(({ usedBytes }) => usedBytes),
  ],
  [
    Gauge,
    "spillway_models_in_memory",
    "Models in memory or on their way there",
    undefined,
    ofMemory(({ resident }) => resident.length),
  ],
  [
    Gauge,
    "spillway_models_waiting_for_memory",
    "Models that wait for room",
    undefined,
    ofMemory(({ waiting }) => waiting),
  ],
  [
    Counter,
    "spillway_model_loads_total",
    "Loads of models within the budget",
    undefined,
    ofMemory(({ loads }) => loads),
  ],
  [
    Counter,
    "spillway_model_evictions_total",
    "Models that left to make room",
    undefined,
    ofMemory(({ evictions }) => evictions),
  ],
  [
    Gauge,
    "spillway_support_running",
    "1 while the support program runs, else 0",
    "program",
    ofSupport(({ state }) => Number(state === "running")),
  ],
  [
    Counter,
    "spillway_support_runs_total",
    "Starts of the support program",
    "program",
    ofSupport(({ runs }) => runs),
  ],
  [
    Counter,
    "spillway_support_faults_total",
    "Ends of the support program with a fault",
    "program",
    ofSupport(({ faults }) => faults),
  ],
];

/** Read at each scrape. */
export function addServerMetrics(registry: Registry, status: () => ServerStatus): void {
  for (const [Metric, name, help, label, of] of scraped) {
    const collect = (): void => {
      metric.reset();
      // A metric without labels is 0 until it is removed, and 0 says more than is known.
      if (label === undefined) metric.remove();
      for (const [value, labels = {}] of of(status())) metric.inc(labels, value);
    };
    const labelNames = label === undefined ? [] : [label];
    const metric = new Metric({ name, help, labelNames, registers: [registry], collect });
  }
}
