/** What is kept of jobs on the server: their logs, their inputs, and the queue of those that are to be run. */
import { Objm, type ObjectStore } from "@nats-io/obj";
import type { Engine } from "../../../../../base/nats/engine.ts";
import { type JobFacts, JobLog, makeJobStreams } from "./job-log.ts";

const nothing = new Uint8Array();

export class JobStore {
  readonly log: JobLog;
  readonly #engine: Engine;
  readonly #inputs: ObjectStore;

  private constructor(engine: Engine, inputs: ObjectStore) {
    this.#engine = engine;
    this.#inputs = inputs;
    this.log = new JobLog(engine);
  }

  /** @param mostBytes of all logs, and of all inputs */
  static async open(engine: Engine, mostBytes: number): Promise<JobStore> {
    await makeJobStreams(engine, mostBytes);
    return new JobStore(
      engine,
      await new Objm(engine.js).create(engine.names.jobLogs.inputs, { max_bytes: mostBytes }),
    );
  }

  /** Its input is there before anybody is told of it, and it is told of before it is to be run. */
  async add(id: string, facts: JobFacts, body: Uint8Array): Promise<void> {
    await this.#inputs.putBlob({ name: id }, body);
    await this.log.add(id, 0, facts, nothing);
    await this.enqueue(facts.model, id);
  }

  /** Has it run; rejects where it is in the queue already, in work or not. */
  async enqueue(model: string, id: string): Promise<void> {
    await this.#engine.js.publish(this.#engine.names.jobQueue.subject(model, id), nothing);
  }

  /** Null: it is not there any more. */
  input(id: string): Promise<Uint8Array | null> {
    return this.#inputs.getBlob(id);
  }

  async forgetInput(id: string): Promise<void> {
    await this.#inputs.delete(id).catch(() => {});
  }

  async forget(id: string): Promise<void> {
    await this.log.remove(id);
    await this.forgetInput(id);
  }

  async all(most: number): Promise<{ readonly id: string; readonly facts: JobFacts }[]> {
    const found: { readonly id: string; readonly facts: JobFacts }[] = [];
    for (const id of (await this.log.ids()).slice(0, most)) {
      const record = await this.log.last(id);
      if (record !== undefined) found.push({ id, facts: record.facts });
    }
    return found;
  }
}
