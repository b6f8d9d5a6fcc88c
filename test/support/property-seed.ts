/**
 * Properties draw the same values in every run, so that a run fails for a change and not by chance.
 * `PROPERTY_SEED=7 npm test` draws others, `PROPERTY_SEED=random npm test` new ones each time.
 * For the fast loop a property is tried for a tenth of a second only.
 */
import { configureGlobal } from "fast-check";

const { PROPERTY_SEED = "1", PROPERTY_LIMIT_MS } = process.env;

configureGlobal({
  ...(PROPERTY_SEED === "random" ? {} : { seed: Number(PROPERTY_SEED) }),
  ...(PROPERTY_LIMIT_MS === undefined ? {} : { interruptAfterTimeLimit: Number(PROPERTY_LIMIT_MS) }),
});
