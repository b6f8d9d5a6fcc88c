/**
 * The two ends of the socket between the server and a replica. It is a descriptor beside the channel of the process, over
 * which the model is loaded and which tells each side when the other has gone.
 */
import { type ConnectOpts, Socket, type SocketConstructorOpts } from "node:net";
import type { Duplex } from "node:stream";
import type { InferenceResult } from "../../models/model-runner.ts";
import { FrameReader } from "./frame-reader.ts";
import { type Framed, framePieces } from "./frames.ts";

/** Server to replica, one at a time; the tensors are inputs. `rows` of each request whose rows they are. */
export type ReplicaCall =
  | { readonly kind: "run"; readonly rows: readonly number[] }
  | { readonly kind: "ping" };

/** Replica to server, one for each call; the tensors are outputs. */
export type ReplicaAnswer =
  | ({ readonly kind: "result" } & Omit<InferenceResult, "outputs">)
  | { readonly kind: "pong" }
  | { readonly kind: "error"; readonly message: string; readonly status: number };

/** The descriptor in the replica, and how a process is started that has it. */
const channelFd = 4;
export const replicaStdio = ["ignore", "pipe", "pipe", "ipc", "pipe"] as const;
/** Memory into which a replica reads what is smaller than a frame, in bytes. */
const scratchBytes = 2 ** 16;

/** The server's end. */
export class CallChannel {
  readonly #socket: Duplex | undefined;

  /**
   * @param socket undefined when the process could not be started
   * @param onGarbage told why, when the replica sends what is no answer; nothing is read after that
   */
  constructor(
    socket: Duplex | undefined,
    onAnswer: (answer: Framed<ReplicaAnswer>) => void,
    onGarbage: (why: string) => void,
  ) {
    this.#socket = socket;
    const reader = new FrameReader(onAnswer);
    const onData = (piece: Uint8Array): void => {
      try {
        reader.push(piece);
      } catch (error) {
        socket?.off("data", onData).resume();
        onGarbage((error as Error).message);
      }
    };
    socket?.on("data", onData);
    // The end of the process tells what there is to tell.
    socket?.on("error", () => {});
  }

  /** The memory of the tensors must stay as it is until the answer. */
  send(call: Framed<ReplicaCall>): void {
    if (this.#socket?.writable === true) writePieces(this.#socket, framePieces(call, true));
  }
}

/** Answers calls in the process of a replica. `onCall` never rejects. */
export function answerCalls(onCall: (call: Framed<ReplicaCall>) => Promise<Framed<ReplicaAnswer>>): void {
  const reader = new FrameReader<ReplicaCall>((call) => {
    void onCall(call).then((answer) => {
      // JSON has no undefined, which stands in the place of faults.
      const isJson = answer.plain.kind !== "result" || answer.plain.faults === undefined;
      writePieces(socket, framePieces(answer, isJson));
    });
  }, scratchBytes);
  const options: SocketConstructorOpts & ConnectOpts = {
    fd: channelFd,
    readable: true,
    writable: true,
    onread: {
      buffer: () => reader.space(),
      callback: (bytes) => {
        reader.took(bytes);
        return true;
      },
    },
  };
  const socket = new Socket(options);
  // The server has gone, as the channel of the process tells.
  socket.on("error", () => {});
}

function writePieces(socket: Duplex, pieces: readonly Uint8Array[]): void {
  if (pieces.length === 1) return void socket.write(pieces[0]);
  socket.cork();
  for (const piece of pieces) socket.write(piece);
  socket.uncork();
}
