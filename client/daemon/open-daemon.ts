/**
 * Makes a daemon from its options: opens its files, connects its targets, and says how the queue is made once the
 * targets are measured. Everything that touches the world is chosen here.
 */
import type { Logger } from "pino";
import { monotonicClock } from "../../base/clock.ts";
import { SpillwayError } from "../../base/errors.ts";
import { checkFolder } from "../../base/output-file.ts";
import { readPriceSheet } from "../../serverless/prices/price-sheet-files.ts";
import { makePolicy, type PolicyListener, type QueuePolicy } from "../policies/make-policy.ts";
import { listedNameOfKey, modelOfKey } from "../policies/queue-key.ts";
import { VirtualQueue } from "../queue/virtual-queue.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import { codecHere, type MessageCodec } from "../../protocol/server/message-codec.ts";
import type { SpendStatus } from "../targets/spend-cap.ts";
import { joinedAnswer } from "../transports/model-call.ts";
import type { FormedTransport } from "../transports/body-form.ts";
import { replyFault } from "../transports/reply-fault.ts";
import { BilledMetadata } from "./billed-metadata.ts";
import { chosenEdges, chosenPolicy, refuseAlone, refuseOwnAddress, usedFunctions } from "./choices.ts";
import { connectTargets } from "./connect.ts";
import { Daemon, type DaemonQueue } from "./daemon.ts";
import { DaemonLanes } from "./lanes.ts";
import { BatchRules } from "./joining/batch-rules.ts";
import type { JoinProofsOptions } from "./joining/join-proofs.ts";
import { ModelDirectory } from "./model-directory.ts";
import { openDashboard } from "./observe/dashboard/open-dashboard.ts";
import { LaneGoals } from "./observe/lane-goals.ts";
import { QueueMetrics } from "./observe/metrics.ts";
import { LaterObserver } from "./observe/later-observer.ts";
import { observeAll } from "./observe/observer.ts";
import { QueueLog } from "./observe/queue-log.ts";
import { QueueStatistics } from "./observe/queue-statistics.ts";
import { RecentRequests } from "./observe/why/recent-requests.ts";
import { isRecordFolder, type OpenRecord, openRecord } from "./observe/open-record.ts";
import { Recorder } from "./observe/recorder.ts";
import { openTracing } from "./observe/tracing.ts";
import { type DaemonOptions, declaredRules } from "./options.ts";
import { measuredProfile, readProfile, withAssumptions } from "./profile/daemon-profile.ts";
import { learnModels } from "./profile/learn-models.ts";
import { readNamedModels } from "./profile/named-models.ts";
import { openSpendCap, spendClockMs } from "./spend.ts";
import { awaitedEdges } from "./targets/awaited-edges.ts";
import { EdgeList } from "./targets/edge-list.ts";
import { measureEdge, measureModel } from "./targets/measure-edge.ts";
import { NewModels } from "./targets/measure-models.ts";
import { TargetChanges } from "./targets/target-changes.ts";
import { ModelWatch } from "./targets/watch-models.ts";
import { logPolicy, logTarget } from "./start-log.ts";
import { TargetWatch, type WatchedTarget } from "./target-watch.ts";

/** Questions at start about what functions take, to know whether all targets describe a model alike. */
const mostComparisons = 16;

/**
 * Opens a daemon; `start` measures its targets.
 *
 * @example
 * const daemon = openDaemon(daemonOptions.parse({ edge: "http://127.0.0.1:8000", serverless: false }), pino());
 *
 * @param codec reads answers of targets; by default on the event loop, however long they are
 * @throws UsageError when an option does not go with the others or names what cannot be used
 */
export function openDaemon(options: DaemonOptions, log: Logger, codec: MessageCodec = codecHere): Daemon {
  const chosen = chosenPolicy(options);
  refuseAlone(options);
  const functions = usedFunctions(options, chosen, log);
  const edges = chosenEdges(options, functions);
  refuseOwnAddress(options, edges, functions);
  const prices = readPriceSheet(options.prices);
  const given = readProfile({ options, edges, functions });
  const named = options.models === undefined ? undefined : readNamedModels(options.models);
  if (!isRecordFolder(options.record)) checkFolder("--record", options.record);
  let record: OpenRecord | undefined;
  const cap = openSpendCap(options, functions, prices, log);
  const tracing = openTracing(process.env, log);
  const connections = connectTargets(options, edges, functions, prices, cap, {
    mayJoinAt: (edge, model) => rules.mayJoinAt(edge, model),
    onGone: (edge) => rules.gone(edge),
    onTooManyRows: (model, mostRows) => rules.tooManyRows(model, mostRows),
    onMixedRows: (model, why) => rules.mixedRows(model, why),
    readAnswer: (wire, model) => codec.readAnswer(wire, model),
    ...(tracing !== undefined && { wrap: (target) => tracing.traced(target) }),
  });
  const { all: transports, targets } = connections;
  const list = new EdgeList();
  for (const [number, address] of edges.entries()) {
    const transport = connections.edges[number] as FormedTransport;
    const target = targets[number] as (typeof targets)[number];
    const source = address.url === awaitedEdges.url ? "joined" : "options";
    list.add({ ...address, transport, target, number, source, state: "serving" });
  }
  const clock = monotonicClock();
  const nowMs = (): number => clock.nowMs();
  const asked = new BilledMetadata(connections.servers, nowMs);
  const models = new ModelDirectory(connections.edges, asked, nowMs);
  const watch = new TargetWatch(
    () => [
      ...list.live.map(({ name, url, transport, number }): WatchedTarget => {
        return { name, kind: "edge", at: url, transport, models: () => models.listedAt(number) };
      }),
      ...functions.map(({ name, url = options.fcEndpoint }, index): WatchedTarget => {
        const [known, answered] = [() => asked.modelsOf(index), () => asked.answered(index)];
        return { name, kind: "serverless", at: url, models: known, answered };
      }),
    ],
    nowMs,
  );
  const lanes = new DaemonLanes(options.lanes);
  const limits = {
    sloMs: options.slo * 1_000,
    maxQueuedRows: options.maxRows,
    maxBytes: options.maxMib * 2 ** 20,
    maxAttempts: 5,
    seed: Math.floor(Math.random() * 2 ** 32),
    ...(options.lanes.length > 0 && { lanes: lanes.options() }),
  };
  const spend = (): SpendStatus => cap.status(spendClockMs());
  const statistics = new QueueStatistics();
  const recent = new RecentRequests();
  const goals = new LaneGoals(lanes.goals({ sloMs: limits.sloMs, sloQuantile: options.sloQuantile }));
  const declared = declaredRules(options.joinRows);
  const rules = new BatchRules({
    models,
    nowMs,
    log,
    declared,
    call: edgeCall(list, options.callTimeout * 1_000, codec),
    onProof: (proof) => metrics.proofEnded(proof),
  });
  const metrics = new QueueMetrics({
    spend,
    rules: () => rules.all(),
    provider: providerOf(prices),
    sloMs: limits.sloMs,
    lanes: lanes.slosMs,
  });
  const catchUp = (): void => later.catchUp();
  const shown = { options, chosen, lanes, spend, edges: list, functions, watch, catchUp, nowMs };
  const dashboard = openDashboard(shown);
  const later = new LaterObserver(observeAll([new QueueLog(log), dashboard]));
  const measuring = { options, chosen, named, declared, nowMs, log };
  const newModels = new NewModels({
    list,
    isMeasured: (edge, model) => watch.hasMeasured(edge, model),
    measure: (edge, model, stop) => measureModel(measuring, edge, model, stop),
    onMeasured: (edge, model, times) => changes.measured(edge, model, times),
    log,
  });
  const changes: TargetChanges = new TargetChanges({
    list,
    functions,
    models,
    rules,
    watch,
    modelWatch: new ModelWatch({
      list,
      edges: models.edges,
      log,
      onMore: (edge, more) => newModels.listed(edge, more),
    }),
    newModels,
    connections,
    measure: (edge, stop) => measureEdge(measuring, edge, stop),
    listensOn: options,
    log,
  });

  const startQueue = async (stop: AbortSignal): Promise<DaemonQueue> => {
    const policy = await queuePolicy(stop);
    for (const report of await watch.look()) logTarget(report, log);
    const facts = targets.map(({ name, kind, maxInFlight, assumedLatencyMs }) => {
      return { name, kind, maxInFlight, assumedLatencyMs };
    });
    const header = { policy, targets: facts, ...limits, run: recent.run };
    // Not before: a daemon that does not come to serve leaves no file.
    record = await openRecord(options, recent.run, log);
    const recorder = record && new Recorder(header, (line) => record?.write(line));
    const observers = observeAll([
      ...(recorder === undefined ? [] : [recorder]),
      metrics,
      statistics,
      recent,
      goals,
      later,
    ]);
    const listener: PolicyListener = {
      onPlan: (key, change) => observers.observe({ kind: "plan", key, ...change }),
      onPrediction: (error) => {
        metrics.predicted(error);
        dashboard.predicted(error);
      },
      onStandIn: (model, standIn) =>
        log.info({ model, standIn }, "model without a profile; another stands in"),
    };
    const made = makePolicy(policy, limits.sloMs, listener);
    const queue: DaemonQueue = new VirtualQueue({
      clock,
      policy: made,
      targets,
      modelOf: modelOfKey,
      joinAnswers: joinedAnswer,
      listedAs: listedNameOfKey,
      ...limits,
      explains: true,
      observe: (event) => observers.observe(event),
    });
    dashboard.watchQueue(queue, made);
    metrics.watchQueue(targets, () => queue.targetHealth(), nowMs);
    return queue;
  };
  const coldStartsOf = (index: number): readonly number[] => asked.coldStartsOf(index);
  const queuePolicy = async (stop: AbortSignal): Promise<QueuePolicy> => {
    const source = { options, named, edges, functions, models, rules, transports, coldStartsOf, log };
    const learned = await learnModels(source, stop);
    if (chosen.name === "fixed") {
      const { edgeRows, functionRows } = chosen;
      const batchRows = targets.map(({ kind }) => (kind === "edge" ? edgeRows : functionRows));
      return { name: "fixed", batchRows, timeoutMs: chosen.timeoutMs };
    }
    const profile = given ?? (await measuredProfile(source, learned, stop));
    const names = learned.filter(({ isUnknown }) => !isUnknown).map(({ name }) => name);
    const profiled = withAssumptions(profile.targets, names, log);
    // Functions were called to be measured, so that a few questions more cost little and start nothing.
    const compared = functions.length === 0 ? 0 : Math.floor(mostComparisons / functions.length);
    if (given === undefined && options.calibrate > 0 && !stop.aborted)
      await Promise.all(names.slice(0, compared).map((name) => models.askFunctions(name)));
    watch.measured(profiled);
    return { ...chosen, targets: profiled, prices };
  };
  const release = async (queue: DaemonQueue | undefined): Promise<void> => {
    catchUp();
    await connections.close();
    cap.close(spendClockMs());
    await record?.close();
    await tracing?.close();
    if (queue !== undefined) log.info({ ...queue.counts }, "requests");
  };
  logPolicy({ options, chosen, edges, functions }, log);
  const extensions = (): readonly string[] => sharedExtensions(list.live);
  return new Daemon({
    sloMs: limits.sloMs,
    models,
    metrics,
    statistics,
    dashboard,
    recent,
    tracing,
    lanes,
    goals,
    padding: options.pad,
    rules,
    extensions,
    startQueue,
    spend,
    shareSpend: (allowance) => {
      cap.share(allowance);
      return cap.mostOfCall;
    },
    targets: changes,
    watch,
    release,
  });
}

/** A call of one edge that the queue does not know of. */
function edgeCall(
  edges: Pick<EdgeList, "at">,
  timeoutMs: number,
  codec: MessageCodec,
): JoinProofsOptions["call"] {
  return async (edge, model, request) => {
    const wire = encodeInferRequest(request, { binary: true });
    const transport = edges.at(edge)?.transport;
    if (transport === undefined) throw new SpillwayError("target_unreachable", "the edge was removed");
    const reply = await transport.call(model, wire, timeoutMs);
    if (reply.status !== 200) throw replyFault(reply);
    return codec.readAnswer(reply.wire, model);
  };
}

/** Extensions that need nothing of the queue, where all edges have them. */
function sharedExtensions(edges: EdgeList["live"]): readonly string[] {
  if (edges.length === 0) return [];
  return ["classification"].filter((name) =>
    edges.every(({ transport }) => transport.extensions?.includes(name)),
  );
}

/** Price sheets are named after who is paid: alibaba-fc-cn-2026. */
function providerOf({ name }: { readonly name: string }): string {
  return name.split("-", 1)[0] ?? name;
}
