/** For the fast loop: a property is tried for a tenth of a second, and not as often as `npm test` tries it. */
import { configureGlobal } from "fast-check";

configureGlobal({ interruptAfterTimeLimit: 100 });
