/**
 * Measures our edge, and the queue before it, beside the servers that a user would pick instead, and writes
 * `docs/peers.md`: `npm run bench:peers`. It needs Go for the generator and Python for the peers; what cannot be installed is
 * left out with a message. With `--only` or `--cells` the page is printed and not written.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, platform, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createProgress, progressBar, stopOnSignal } from "../../base/program/progress.ts";
import { samplesOf, writeModels } from "./bench-models.ts";
import {
  capacityCell,
  inTimeMs,
  type PeerCell,
  peerCells,
  type PeerMeasurement,
  peerModels,
} from "./cells.ts";
import { checkAnswers, type CheckedRow } from "./checker.ts";
import { type Contender, contenders } from "./contenders.ts";
import { buildGenerator, sendLoad } from "./generator.ts";
import { measurementOf } from "./measurement.ts";
import { type PeerOnPage, peersPage } from "./peers-page.ts";
import { cpuBetweenMs, treeCpuMs, treePssMib } from "./process-tree.ts";
import { type RunningServer, startServer } from "./running-server.ts";
import { install, type Installed, whyFailed } from "./venvs.ts";

const usage = `npm run bench:peers -- [--only NAME,...] [--cells NAME,...] [--seconds S] [--rounds N] [--keep]

  --only     servers, by the beginnings of their names: ${contenders.map(({ name }) => name).join(", ")}
  --cells    cells, by the beginnings of their names: ${peerCells.map(({ name }) => name).join(", ")}
  --seconds  of each cell (0.2 to 60; default: 3)
  --rounds   of which the median is taken (1 to 9; default: 3)
  --keep     keep the folder with logs of the servers and each measurement
`;

/** Runs of a second before the first cell of a server, and after how many answers there are no more. */
const mostWarmUps = 10;
const warmAfter = 10_000;

interface Options {
  readonly chosen: readonly Contender[];
  readonly cells: readonly PeerCell[];
  readonly seconds: number;
  readonly rounds: number;
  readonly keep: boolean;
  readonly isWhole: boolean;
}

function readOptions(): Options | string {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      cells: { type: "string" },
      seconds: { type: "string", default: "3" },
      rounds: { type: "string", default: "3" },
      keep: { type: "boolean", default: false },
    },
  });
  const seconds = Number(values.seconds);
  const rounds = Number(values.rounds);
  if (!(seconds >= 0.2 && seconds <= 60)) return `--seconds is "${values.seconds}"; allowed: 0.2 to 60`;
  if (!(Number.isInteger(rounds) && rounds >= 1 && rounds <= 9))
    return `--rounds is "${values.rounds}"; allowed: 1 to 9`;
  const only = pick("--only", values.only, contenders);
  if (typeof only === "string") return only;
  const cells = pick("--cells", values.cells, peerCells);
  if (typeof cells === "string") return cells;
  const isWhole = values.only === undefined && values.cells === undefined;
  return { chosen: only, cells, seconds, rounds, keep: values.keep, isWhole };
}

/** Those whose names begin with a word of the list, as `no-op-open` and `ray`; what is wrong with it as a string. */
function pick<T extends { readonly name: string }>(
  option: string,
  list: string | undefined,
  all: readonly T[],
): readonly T[] | string {
  if (list === undefined) return all;
  const wanted = list.split(",").map((each) => each.trim().toLowerCase());
  const begins = ({ name }: T, word: string): boolean =>
    name.toLowerCase().startsWith(word) && !/^\w/.test(name.slice(word.length));
  const unknown = wanted.find((word) => word === "" || !all.some((each) => begins(each, word)));
  if (unknown !== undefined)
    return `${option} has "${unknown}"; allowed: ${all.map(({ name }) => name).join(", ")}`;
  return all.filter((each) => wanted.some((word) => begins(each, word)));
}

async function main({ chosen, cells, seconds, rounds, keep, isWhole }: Options): Promise<void> {
  const signal = stopOnSignal("the server that is measured");
  const folder = mkdtempSync(join(tmpdir(), "spillway-peers-"));
  const progress = createProgress(process.stderr);
  const note = (line: string): void => {
    progress.end();
    process.stderr.write(`${line}\n`);
  };
  try {
    const program = await buildGenerator(folder).catch((error: unknown) => {
      note(`bench:peers is skipped: the generator needs Go 1.22 or later to be built (${whyFailed(error)})`);
    });
    if (program === undefined) return;
    const models = join(folder, "models");
    writeModels(models);
    const load = loadavg()[0] ?? 0;
    const installed = new Map<Contender, Installed>();
    const skipped: { name: string; why: string }[] = [];
    for (const contender of chosen) {
      if (contender.packages.length === 0) {
        installed.set(contender, { bin: "", versions: [`spillway ${commit()}`] });
        continue;
      }
      progress.show(`installing ${contender.name}`);
      try {
        installed.set(contender, await install(contender, signal));
      } catch (error) {
        signal.throwIfAborted();
        skipped.push({ name: contender.name, why: whyFailed(error) });
        note(`${contender.name} is skipped: ${whyFailed(error)}`);
      }
    }
    const results = new Map(
      [...installed.keys()].map((each) => [each, new Map<string, PeerMeasurement[]>()]),
    );
    const used = peerModels.filter((model) => cells.some((cell) => cell.model === model));
    const all = rounds * used.length * installed.size;
    let done = 0;
    for (const model of used) {
      const samples = await samplesOf(model);
      const wanted = peerCells.filter(
        (cell) => cell.model === model && (cells.includes(cell) || cell.name === capacityCell(model)),
      );
      for (let round = 0; round < rounds; round++) {
        // Every other round in the opposite order, so that none always follows the same one.
        const order = [...installed.keys()];
        if (round % 2 === 1) order.reverse();
        for (const contender of order) {
          signal.throwIfAborted();
          const where = `${model}, round ${round + 1} of ${rounds}, ${contender.name}`;
          const bin = installed.get(contender)?.bin ?? "";
          const at = join(folder, `${done++}`);
          const probe = contender.request(model, (samples[0] as CheckedRow).row);
          let server: RunningServer | undefined;
          try {
            server = await startServer(contender, model, probe, bin, models, at, signal);
            let capacityPerS = 0;
            for (const [index, cell] of wanted.entries()) {
              if (cell.isTold && contender.toldRequest === undefined) continue;
              progress.show(
                `${progressBar((done - 1 + index / wanted.length) / all)} ${where}, ${cell.name}`,
              );
              const run = { contender, server, cell, samples, seconds, program, folder: at, signal };
              const measured = await measure(run, capacityPerS);
              if (cell.name === capacityCell(model)) capacityPerS = measured.perS;
              const kept = results.get(contender) as Map<string, PeerMeasurement[]>;
              kept.set(cell.name, [...(kept.get(cell.name) ?? []), measured]);
              const line = { round, server: contender.name, cell: cell.name, ...measured };
              writeFileSync(join(folder, "measurements.ndjson"), `${JSON.stringify(line)}\n`, { flag: "a" });
              if (measured.wrong > 0) note(`${where}, ${cell.name}: ${measured.wrong} wrong answers`);
            }
          } catch (error) {
            signal.throwIfAborted();
            const why = (error as Error).message;
            if (!skipped.some(({ name }) => name === contender.name))
              skipped.push({ name: contender.name, why });
            note(`${where} is skipped: ${why}`);
          } finally {
            await server?.stop();
          }
        }
      }
    }
    progress.end();
    const peers = [...results].map(([{ name, settings }, kept]): PeerOnPage => {
      const versions = [...installed].find(([each]) => each.name === name)?.[1].versions ?? [];
      return { name, settings, versions, rounds: Object.fromEntries(kept) };
    });
    const machine = `${cpus().length} cores of ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${platform()} ${release()}, load ${load.toFixed(1)} before it began`;
    const made = `on ${new Date().toISOString().slice(0, 10)} with Node ${process.versions.node} and ${goVersion()}`;
    const text = peersPage({ peers, skipped, machine, made, rounds, seconds });
    if (!isWhole) process.stdout.write(text);
    else {
      const file = fileURLToPath(new URL("../../../docs/peers.md", import.meta.url));
      writeFileSync(file, text);
      execFileSync("npx", ["oxfmt", file]);
      note(`docs/peers.md is written`);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    process.exitCode = 130;
  } finally {
    progress.end();
    if (keep) note(`kept: ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
  }
}

interface CellRun {
  readonly contender: Contender;
  readonly server: RunningServer;
  readonly cell: PeerCell;
  readonly samples: readonly CheckedRow[];
  readonly seconds: number;
  readonly program: string;
  readonly folder: string;
  readonly signal: AbortSignal;
}

async function measure(run: CellRun, capacityPerS: number): Promise<PeerMeasurement> {
  const { contender, server, cell, samples, seconds, program, folder, signal } = run;
  const requestOf = ((cell.isTold && contender.toldRequest) || contender.request).bind(contender);
  const requests = samples.map(({ row }) => requestOf(cell.model, row));
  const perS = cell.load === undefined ? undefined : cell.load * capacityPerS;
  const request = requests[0] as (typeof requests)[number];
  const load = { port: server.port, request, connections: cell.connections, perS, withinMs: inTimeMs };
  const warmUp = { ...load, seconds: Math.min(1, seconds) };
  // The first cell of a server waits until its compilers have seen the code; on a busy machine that takes seconds.
  let answered = 0;
  for (let times = 0; times < (capacityPerS === 0 ? mostWarmUps : 1) && answered < warmAfter; times++)
    answered += (await sendLoad(program, warmUp, folder, signal)).statuses["200"] ?? 0;
  const checking = new AbortController();
  const checked = checkAnswers(contender, server.port, requests, samples, cell.model, checking.signal);
  try {
    const pids = server.pids();
    const before = treeCpuMs(pids);
    const pss = delay(seconds * 500, undefined, { signal }).then(() => treePssMib(server.pids()));
    const [summary, pssMib] = await Promise.all([
      sendLoad(program, { ...load, seconds }, folder, signal),
      pss,
    ]);
    const cpuMs = cpuBetweenMs(before, treeCpuMs(server.pids()));
    checking.abort();
    return measurementOf(summary, cpuMs, pssMib, await checked);
  } finally {
    checking.abort();
    await checked;
  }
}

function commit(): string {
  try {
    return execFileSync("git", ["describe", "--always", "--dirty"], { stdio: ["ignore", "pipe", "ignore"] })
      .toString()
      .trim();
  } catch {
    return "of an unknown version";
  }
}

const goVersion = (): string => execFileSync("go", ["version"]).toString().split(" ")[2] ?? "";

const options = ((): Options | string => {
  try {
    return readOptions();
  } catch (error) {
    return (error as Error).message;
  }
})();
if (typeof options === "string") {
  console.error(`${options}\n\n${usage}`);
  process.exitCode = 2;
} else {
  await main(options);
}
