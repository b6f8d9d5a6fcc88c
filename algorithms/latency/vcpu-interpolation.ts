/**
 * Service times for a number of vCPUs that nobody measured, from sizes that somebody did. The result says in its
 * type that it is a guess of this kind, so that nobody takes it for a measurement.
 */

/** Measured: service time in milliseconds by rows (index 0 unused) with that many vCPUs. */
export interface MeasuredVcpu {
  readonly vcpu: number;
  readonly serviceMs: ArrayLike<number>;
}

/**
 * How time falls with vCPUs c. `inverse`: a + b / c, the part that runs in parallel shrinks (Amdahl 1967).
 * `exponential`: a + b exp(-c / s), which HarmonyBatch (IWQoS 2024) fits to functions.
 */
export type VcpuForm = "inverse" | "exponential";

export interface InterpolatedService {
  readonly kind: "interpolated";
  readonly form: VcpuForm;
  readonly vcpu: number;
  /** The vCPUs that were measured. */
  readonly measuredVcpu: readonly number[];
  /** True when `vcpu` lies outside what was measured, where no form should be trusted far. */
  readonly isExtrapolated: boolean;
  /** By rows, index 0 is 0. */
  readonly serviceMs: Float64Array;
}

/** Widths s that the exponential form tries, in vCPUs: from 0.05 to 16 in steps of 10 %. */
const widths = Array.from({ length: 61 }, (_, i) => 0.05 * 1.1 ** i);

/**
 * Fit the form for each number of rows by least squares and read it at `vcpu`. Times are not taken below 0, and
 * rise neither with vCPUs nor with fewer rows.
 *
 * @param measured at least two numbers of vCPUs (exponential: three), each above 0 and different, tables as long
 * @throws RangeError when there are too few, or an argument is outside its range
 */
export function interpolateVcpu(
  measured: readonly MeasuredVcpu[],
  vcpu: number,
  form: VcpuForm = "inverse",
): InterpolatedService {
  const measuredVcpu = measured.map((each) => each.vcpu).sort((a, b) => a - b);
  const needed = form === "inverse" ? 2 : 3;
  if (new Set(measuredVcpu).size < needed) {
    throw new RangeError(`${measured.length} sizes were measured; ${form} needs ${needed} different ones`);
  }
  for (const value of [vcpu, ...measuredVcpu]) {
    if (!(value > 0 && value < Infinity)) throw new RangeError(`vcpu is ${value}; allowed: above 0`);
  }
  const length = Math.min(...measured.map(({ serviceMs }) => serviceMs.length));
  const serviceMs = new Float64Array(length);
  for (let rows = 1; rows < length; rows++) {
    const points = measured.map((each) => ({ vcpu: each.vcpu, ms: each.serviceMs[rows] as number }));
    serviceMs[rows] = Math.max(serviceMs[rows - 1] as number, fitAt(points, vcpu, form));
  }
  const isExtrapolated = vcpu < (measuredVcpu[0] as number) || vcpu > (measuredVcpu.at(-1) as number);
  return { kind: "interpolated", form, vcpu, measuredVcpu, isExtrapolated, serviceMs };
}

interface Point {
  readonly vcpu: number;
  readonly ms: number;
}

function fitAt(points: readonly Point[], vcpu: number, form: VcpuForm): number {
  const shapes =
    form === "inverse"
      ? [(c: number): number => 1 / c]
      : widths.map(
          (width) =>
            (c: number): number =>
              Math.exp(-c / width),
        );
  let best = { error: Infinity, ms: 0 };
  for (const shape of shapes) {
    const fit = leastSquares(points, shape, vcpu);
    if (fit.error < best.error) best = fit;
  }
  return Math.max(0, best.ms);
}

/** a + b shape(c) with b >= 0 through the points, read at `vcpu`, and its squared error. */
function leastSquares(
  points: readonly Point[],
  shape: (vcpu: number) => number,
  vcpu: number,
): { readonly error: number; readonly ms: number } {
  const mean = (of: (point: Point) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const meanX = mean((point) => shape(point.vcpu));
  const meanMs = mean((point) => point.ms);
  const covariance = mean((point) => (shape(point.vcpu) - meanX) * (point.ms - meanMs));
  const variance = mean((point) => (shape(point.vcpu) - meanX) ** 2);
  const slope = variance > 0 ? Math.max(0, covariance / variance) : 0;
  const at = (c: number): number => meanMs + slope * (shape(c) - meanX);
  return { error: mean((point) => (point.ms - at(point.vcpu)) ** 2), ms: at(vcpu) };
}
