/** The admin token of programs that tests start, as whoever may read the state folder finds it. */
import { adminTokenIn, defaultStateFolder } from "../../base/access/state-folder.ts";

export function adminTokenHere(): string {
  return adminTokenIn(defaultStateFolder(process.env)).token;
}
