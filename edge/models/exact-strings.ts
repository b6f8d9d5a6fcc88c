/**
 * Runs a model once more when its strings came out of ONNX Runtime's binding with U+FFFD, which stands for that character
 * or for bytes that are not UTF-8: the same model with nodes that tell the bytes.
 */
import { readFile, stat } from "node:fs/promises";
import { Buffer } from "node:buffer";
import type * as ort from "onnxruntime-node";
import { ProtocolError } from "../../protocol/errors.ts";
import { OnnxFragment } from "./onnx-fragment.ts";
import { addSplits, joinSplits, type SplitNames, splittingOpset } from "./string-bytes.ts";

/** A larger model is not held in memory a second time. */
const largestMib = 256;

type Values = Readonly<Record<string, ort.Tensor>>;
type Open = (model: Uint8Array) => Promise<ort.InferenceSession>;

/** A run's results, and where their text may not be all that they are, the bytes of the elements by output. */
export interface ExactResults {
  readonly results: Values;
  readonly strings: ReadonlyMap<string, readonly Uint8Array[]>;
}

interface SplittingSession {
  readonly session: ort.InferenceSession;
  readonly splits: ReadonlyMap<string, SplitNames>;
  /** Whether the model runs with newer operators than its own, which might do something else. */
  readonly isRaised: boolean;
}

/** A session whose strings are exact. */
export class ExactSession {
  readonly #session: ort.InferenceSession;
  readonly #model: { readonly name: string; readonly path: string };
  readonly #open: Open;
  #splitting: Promise<SplittingSession> | undefined;

  /** @param open opens the session of a model's bytes, as the given one was opened */
  constructor(
    session: ort.InferenceSession,
    model: { readonly name: string; readonly path: string },
    open: Open,
  ) {
    this.#session = session;
    this.#model = model;
    this.#open = open;
  }

  get inputMetadata(): ort.InferenceSession["inputMetadata"] {
    return this.#session.inputMetadata;
  }

  get outputMetadata(): ort.InferenceSession["outputMetadata"] {
    return this.#session.outputMetadata;
  }

  /**
   * Open the model a second time if it gives strings: in a run it would take so long that the replica seems to hang. When
   * that fails, runs say why if it matters.
   */
  async prepare(): Promise<void> {
    const strings = this.outputMetadata.flatMap((output) =>
      output.isTensor && output.type === "string" ? [output.name] : [],
    );
    if (strings.length === 0) return;
    this.#splitting = this.#openSplitting(strings);
    await this.#splitting.catch(() => {});
  }

  /** Rejects with what ONNX Runtime says, or with a ProtocolError (500) when the bytes of a string cannot be told. */
  async run(feeds: Values): Promise<ExactResults> {
    const results = (await this.#session.run(feeds)) as Values;
    const doubtful = firstDoubtful(results);
    if (doubtful === undefined) return { results, strings: new Map() };
    try {
      return await this.#runAgain(feeds, results);
    } catch (error) {
      throw new ProtocolError(
        `model ${this.#model.name} failed: ${doubtful} may have bytes that are not UTF-8, ` +
          `which could not be read: ${(error as Error).message}`,
        500,
      );
    }
  }

  async #runAgain(feeds: Values, before: Values): Promise<ExactResults> {
    if (this.#splitting === undefined) throw new Error("the model was not prepared for that");
    const { session, splits, isRaised } = await this.#splitting;
    const after = (await session.run(feeds)) as Values;
    const strings = new Map([...splits].map(([name, names]) => [name, bytesOf(after, names)]));
    for (const [name, elements] of strings) checkText(name, after[name]?.data as string[], elements);
    if (isRaised) checkSame(before, after);
    return { results: after, strings };
  }

  async #openSplitting(outputs: readonly string[]): Promise<SplittingSession> {
    const { path } = this.#model;
    const sizeMib = (await stat(path)).size / 2 ** 20;
    if (sizeMib > largestMib)
      throw new Error(`the model has ${Math.ceil(sizeMib)} MiB; allowed: at most ${largestMib}`);
    const fragment = new OnnxFragment();
    const splits = new Map(
      outputs.map((name, index) => [name, addSplits(fragment, name, `spillway/bytes/${index}`)]),
    );
    const model = await readFile(path);
    const opened = (session: ort.InferenceSession, isRaised: boolean) => ({ session, splits, isRaised });
    try {
      return opened(await this.#open(Buffer.concat([model, fragment.toBytes()])), false);
    } catch (error) {
      if (!/StringSplit/.test((error as Error).message)) throw error;
      return opened(await this.#open(Buffer.concat([model, fragment.toBytes(splittingOpset)])), true);
    }
  }
}

/** Where text first has U+FFFD; undefined for nowhere. */
function firstDoubtful(results: Values): string | undefined {
  for (const [name, { type, data }] of Object.entries(results)) {
    if (type !== "string") continue;
    const element = (data as string[]).findIndex((text) => text.includes("\uFFFD"));
    if (element >= 0) return `output "${name}": element ${element}`;
  }
  return undefined;
}

function bytesOf(values: Values, { pieces, counts }: SplitNames): Buffer[] {
  const dataOf = (name: string): unknown => values[name]?.data;
  return joinSplits(
    dataOf(pieces) as string[],
    counts.map((name) => dataOf(name) as BigInt64Array),
  );
}

/** The bytes must read as the text that came with them. */
function checkText(name: string, texts: readonly string[], elements: readonly Buffer[]): void {
  const wrong = texts.findIndex((text, index) => elements[index]?.toString() !== text);
  if (wrong >= 0 || texts.length !== elements.length)
    throw new Error(`output "${name}": the bytes of element ${wrong} are not those of its text`);
}

/** Newer operators count as the same when they gave the same. */
function checkSame(before: Values, after: Values): void {
  for (const [name, tensor] of Object.entries(before)) {
    const again = after[name] as ort.Tensor;
    const isSame = tensor.type === again.type && String(tensor.dims) === String(again.dims);
    if (isSame && isSameData(tensor.data, again.data)) continue;
    throw new Error(`output "${name}" differs when the model runs with operators of opset ${splittingOpset}`);
  }
}

function isSameData(a: ort.Tensor.DataType, b: ort.Tensor.DataType): boolean {
  if (Array.isArray(a)) return a.every((text, index) => text === (b as string[])[index]);
  const [before, after] = [a, b].map((data) => data as Exclude<typeof data, string[]>);
  return before !== undefined && after !== undefined && bufferOf(before).equals(bufferOf(after));
}

function bufferOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
}
