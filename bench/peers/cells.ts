/** What is measured of each server, and what a measurement says. */

export const peerModels = ["no-op", "timed", "ocr-cls"] as const;
export type PeerModel = (typeof peerModels)[number];

/** Answers are counted as in time within so many milliseconds. */
export const inTimeMs = 100;

export interface PeerCell {
  /** As `--cells` takes it. */
  readonly name: string;
  readonly model: PeerModel;
  readonly connections: number;
  /** Open loop, at so many times the server's own requests a second with 64 in flight; undefined: closed loop. */
  readonly load?: number;
  /** Each request says that its caller waits 100 ms; servers that cannot be told so are left out. */
  readonly isTold?: boolean;
}

/** What one cell came to; of several rounds, the median of each figure. */
export interface PeerMeasurement {
  /** Answers with 200 a second. */
  readonly perS: number;
  /** Of answers with 200; counted from when the request was due. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the requests that were due, those answered with 200 within `inTimeMs`; 0 to 1. */
  readonly inTime: number;
  /** Of the requests that were due, those answered with another status; 0 to 1. */
  readonly refused: number;
  /** Processor time of all processes of the server for each answer with 200, in milliseconds. */
  readonly cpuMs: number;
  /** Proportional set size of all processes of the server halfway, in MiB. */
  readonly pssMib: number;
  /** Answers whose tensor was compared, and of them those with another tensor than the model's. */
  readonly checked: number;
  readonly wrong: number;
}

/** The cell of each model that says what its capacity is; it is measured before the others. */
export const capacityCell = (model: PeerModel): string => `${model}-64`;

const closed = (model: PeerModel, connections: number): PeerCell => ({
  name: `${model}-${connections}`,
  model,
  connections,
});
const open = (model: PeerModel, load: number, isTold = false): PeerCell => ({
  name: `${model}-open-${load}${isTold ? "-told" : ""}`,
  model,
  connections: 1_024,
  load,
  isTold,
});

export const peerCells: readonly PeerCell[] = [
  ...[64, 1, 16, 128, 256, 512, 1_024].map((connections) => closed("no-op", connections)),
  open("no-op", 0.5),
  open("no-op", 0.8),
  ...[64, 1].map((connections) => closed("timed", connections)),
  open("timed", 0.8),
  open("timed", 1.3),
  open("timed", 1.3, true),
  ...[64, 1].map((connections) => closed("ocr-cls", connections)),
  open("ocr-cls", 0.8),
  open("ocr-cls", 1.3),
  open("ocr-cls", 1.3, true),
];
