/** What tests write goes into one folder, which is removed with all that is in it when they end. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export default function makeRunFolder(): () => void {
  const folder = mkdtempSync(join(tmpdir(), "spillway-run-"));
  // Brokers run as users of their own.
  chmodSync(folder, 0o755);
  process.env["TMPDIR"] = folder;
  // Programs that tests start keep their admin token here, not where those of the user have theirs.
  process.env["XDG_STATE_HOME"] = join(folder, "state");
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
