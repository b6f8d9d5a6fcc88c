/** Why a model cannot be loaded, and whether trying again can help. */
import { ProtocolError } from "../../protocol/errors.ts";

/** Faults of the machine and of the network, which pass: memory, handles, disks, devices, hosts. */
const passing =
  /alloc|out of memory|\b(?:ENOMEM|EMFILE|ENFILE|EAGAIN|EBUSY|EIO|ENOSPC|ESTALE|ETIMEDOUT|ECONN[A-Z]{1,12}|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)\b|timed? ?out|fetch failed|execution provider|\bCUDA\b/i;

/** What the process of a replica says when it cannot load its model. */
export class LoadFault extends ProtocolError {
  /**
   * False for a file that is broken or an operator that is unknown: it stays so until somebody changes the model. True for
   * what may be otherwise in a while.
   *
   * @example
   * new LoadFault("Protobuf parsing failed.", 500).mayPass; // false
   * new LoadFault("Failed to allocate memory for requested buffer", 500).mayPass; // true
   */
  readonly mayPass: boolean;

  constructor(message: string, status: number) {
    super(message, status);
    this.mayPass = passing.test(message);
  }
}
