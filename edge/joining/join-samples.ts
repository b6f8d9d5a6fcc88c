/** Requests that were answered, kept for a while so that what they got can be compared with a run of other company. */
import { Lru } from "../../base/memory/lru.ts";
import { cutRows } from "../../protocol/stack.ts";
import { allAlike, apartCheck, type JoinCheck, type RanRequest, togetherCheck } from "./join-check.ts";

/** Most requests of one check. */
const mostOfCheck = 3;
/** Most keys whose requests are kept. */
const mostKeys = 8;
/** Requests with more input and output data are not kept, in bytes. */
const mostBytes = 4 * 2 ** 20;
/** Joined runs from one that is checked afterwards to the next; the first ones are checked more often. */
const spotEvery = 64;

interface OfKey {
  readonly key: string;
  readonly requests: readonly RanRequest[];
}

export class JoinSamples {
  #apart = new Lru<string, OfKey>(mostKeys);
  #together: JoinCheck | undefined;
  #joinedRuns = 0;

  /**
   * Keep a request that ran apart.
   * @param mostRows most rows of a run; a request with more than half of them is not kept, since few fit beside it
   * @param acceptsAlike whether requests with equal inputs are of use
   */
  ranApart(key: string, request: RanRequest, mostRows: number, acceptsAlike: boolean): void {
    if (request.rows > mostRows / 2 || bytesOf(request) > mostBytes) return;
    const kept = this.#apart.get(key)?.requests ?? [];
    const isAlike = kept.some(({ inputs }) => allAlike([inputs, request.inputs]));
    if (kept.length >= mostOfCheck || (isAlike && !(acceptsAlike && kept.length < 2))) return;
    this.#apart.set(key, { key, requests: [...kept, request] });
  }

  /** Keep one of the requests, or one of the rows, of a run that had several, now and then. */
  ranTogether(key: string, requests: readonly RanRequest[]): void {
    const turn = this.#joinedRuns++;
    if (turn % spotEvery !== 0 && (turn & (turn - 1)) !== 0) return;
    const one =
      requests.length === 1 ? rowOf(requests[0] as RanRequest, turn) : requests[turn % requests.length];
    if (one !== undefined && bytesOf(one) <= mostBytes) this.#together = apartCheck(key, one);
  }

  /** A check of requests that ran apart, of at most `mostRows` rows, whose key passes; undefined when there is none. */
  nextTogether(mostRows: number, isWanted: (key: string) => boolean): JoinCheck | undefined {
    for (const { key, requests } of this.#apart.values()) {
      const chosen: RanRequest[] = [];
      let rows = 0;
      for (const request of requests) {
        if (rows + request.rows > mostRows) continue;
        chosen.push(request);
        rows += request.rows;
      }
      if (chosen.length < 2 || !isWanted(key)) continue;
      this.#apart.set(key, { key, requests: [] });
      return togetherCheck(key, chosen);
    }
    return undefined;
  }

  /** A check of a request that ran in company; undefined when there is none. */
  nextApart(): JoinCheck | undefined {
    const check = this.#together;
    this.#together = undefined;
    return check;
  }

  clear(): void {
    this.#apart = new Lru<string, OfKey>(mostKeys);
    this.#together = undefined;
  }
}

function rowOf({ inputs, rows, outputs }: RanRequest, turn: number): RanRequest {
  const row = turn % rows;
  const sizes = [row, 1, rows - row - 1].filter((size) => size > 0);
  const place = row === 0 ? 0 : 1;
  const [ownInputs = [], ownOutputs = []] = [inputs, outputs].map(
    (each) => cutRows(each, sizes)[place] ?? [],
  );
  return { inputs: ownInputs, rows: 1, outputs: ownOutputs };
}

function bytesOf({ inputs, outputs }: RanRequest): number {
  return [...inputs, ...outputs].reduce((sum, { data }) => sum + data.byteLength, 0);
}
