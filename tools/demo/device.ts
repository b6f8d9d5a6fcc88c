/**
 * The devices that the demo plays. Client, edge, functions and queue share one machine, so the real speed of the
 * model says nothing there: the edge and each function size answer no sooner than a device of a set speed would.
 */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A batch of n rows takes `callMs + n * rowMs`. */
interface DeviceSpeed {
  readonly callMs: number;
  readonly rowMs: number;
}

/** The function sizes, and all of them in the form of `--functions`. */
export const functionSizes = ["small", "large"] as const;
export const demoFunctions = "small=0.5x1024,large=2x4096";

/** Whether a target is a function, and no edge. */
export function isFunction(target: string): boolean {
  return functionSizes.some((name) => name === target);
}

/** Instances of each size; more processes are too many for a small machine. */
export const instancesPerSize = 2;

const deviceSpeeds: Readonly<Record<"edge" | (typeof functionSizes)[number], DeviceSpeed>> = {
  edge: { callMs: 100, rowMs: 50 },
  small: { callMs: 100, rowMs: 50 },
  large: { callMs: 50, rowMs: 15 },
};

/** What the queue calls so many edges. */
export function edgeNames(count: number): readonly string[] {
  return count === 1 ? ["edge"] : Array.from({ length: count }, (_, index) => `edge-${index + 1}`);
}

/** No batch makes an edge faster than this, in pictures a second. */
export const fastestEdgePerS = 1_000 / deviceSpeeds.edge.rowMs;

/** What the demo says before it starts, in lines of 80 columns at most. */
export function describeDevices(edges: number): string {
  const { edge, small, large } = deviceSpeeds;
  return [
    `Everything runs on this machine, so the speeds are set by the clock: ${edges === 1 ? "the edge" : "each edge"}`,
    `plays a device that takes ${speedText(edge)} a picture; functions take`,
    `${speedText(small)} (small) or ${speedText(large)} (large), and are kept warm.`,
    "The model, its answers and the prices are real.",
  ].join("\n");
}

/**
 * Writes a model repository of one model, which edge and functions serve at their own speeds.
 *
 * @param folder of the repository
 * @param model its name, its ONNX file, and the handler that waits
 */
export function writeDeviceModel(
  folder: string,
  {
    name,
    onnxPath,
    handlerPath,
  }: { readonly name: string; readonly onnxPath: string; readonly handlerPath: string },
): void {
  const place = join(folder, name);
  mkdirSync(join(place, "1"), { recursive: true });
  copyFileSync(onnxPath, join(place, "1", "model.onnx"));
  copyFileSync(handlerPath, join(place, "handler.js"));
  // JSON is YAML. One thread, because more would only wait for each other on a small machine.
  writeFileSync(
    join(place, "config.yaml"),
    JSON.stringify({ threads: 1, joinRows: true, settings: deviceSpeeds }),
  );
}

function speedText({ callMs, rowMs }: DeviceSpeed): string {
  return `${callMs} ms + ${rowMs} ms`;
}
