#!/usr/bin/env node
/** The one executable. */
import { runCommandLine } from "./cli/command-line.ts";

// Without exit, an open channel to a parent would keep the process alive.
process.exit(await runCommandLine(process.argv.slice(2)));
