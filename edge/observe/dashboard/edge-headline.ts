/** The first sentence of the edge server's page, and what to do where something is the matter. */
import type { EdgeModelNow, EdgeNow } from "./edge-wire.ts";

const mostNamed = 3;
/** With less memory than this part of the machine's, it is said. */
const leastFree = 0.05;

/** @param isClosing whether the server takes nothing new */
export function edgeHeadline(
  { models, hidden, memory }: Pick<EdgeNow, "models" | "hidden" | "memory">,
  isClosing: boolean,
): EdgeNow["headline"] {
  if (isClosing)
    return said("warn", "closing", "The server ends: it answers what it has and takes nothing new.");
  if (models.length === 0)
    return said(
      "warn",
      "no-models",
      "No model is served.",
      [],
      ["Add one: spillway add MODEL --models FOLDER"],
    );
  const broken = models.filter(({ state }) => state === "UNAVAILABLE");
  const limping = models.filter(
    ({ state, replicas }) =>
      state === "READY" && replicas.some((each) => each.state !== "up" && each.state !== "starting"),
  );
  const loading = models.filter(({ state }) => state === "LOADING");
  const ready = models.filter(({ state }) => state === "READY");
  if (broken.length > 0) {
    const level = ready.length === 0 ? "bad" : "warn";
    const text = `${named(broken)} cannot answer; ${ready.length === 0 ? "no model can" : `${plural(ready.length + hidden, "other model")} can`}.`;
    return said(
      level,
      "broken",
      text,
      broken.slice(0, mostNamed).map(({ name, reason }) => sentence(name, reason)),
      ["Read the reason and the events below; when its cause is gone, restart the model here."],
    );
  }
  if (limping.length > 0) {
    const why = limping.slice(0, mostNamed).map(({ name, replicas }) => {
      const down = replicas.find((each) => each.state !== "up");
      return sentence(name, down?.lastError ?? `replica ${down?.index} is ${down?.state}`);
    });
    return said("warn", "limping", `${named(limping)}: replicas are down; the others answer.`, why, [
      "They are started again by themselves. If that does not help, restart the model here.",
    ]);
  }
  if (memory.freeBytes < leastFree * memory.totalBytes)
    return said(
      "warn",
      "memory",
      "The machine has hardly any free memory.",
      [],
      ["Serve fewer models or replicas, or let models share a budget with --model-memory."],
    );
  if (loading.length > 0 && ready.length === 0)
    return said("ok", "loading", `${named(loading)} ${loading.length === 1 ? "is" : "are"} being loaded.`);
  const perS = models.reduce((sum, model) => sum + model.perS, 0);
  const waiting = models.reduce((sum, { queueRows }) => sum + queueRows, 0);
  const load = perS === 0 ? "nobody asks at present" : `${rounded(perS)} answers a second`;
  const queue = waiting === 0 ? "nothing waits" : `${plural(waiting, "row")} wait${waiting === 1 ? "s" : ""}`;
  const more =
    loading.length > 0 ? [`${named(loading)} ${loading.length === 1 ? "is" : "are"} being loaded.`] : [];
  return said("ok", "well", `${plural(ready.length + hidden, "model")} ready; ${load}; ${queue}.`, more);
}

function said(
  level: "ok" | "warn" | "bad",
  matter: string,
  text: string,
  more: readonly string[] = [],
  actions: readonly string[] = [],
): EdgeNow["headline"] {
  return { level, matter, text, more, actions };
}

function named(models: readonly EdgeModelNow[]): string {
  const names = models.slice(0, mostNamed).map(({ name }) => name);
  return models.length > mostNamed
    ? `${names.join(", ")} and ${models.length - mostNamed} more`
    : names.join(" and ");
}

function sentence(name: string, reason: string): string {
  const text = reason === "" ? `${name} gives no reason` : `${name}: ${reason}`;
  return text.endsWith(".") ? text : `${text}.`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function rounded(value: number): string {
  return String(Number(value.toPrecision(2)));
}
