#!/usr/bin/env node
// Where the process begins. The engine is prepared before the program is loaded, which is why the program is imported
// by a call: imports by declaration are all loaded before anything runs.
import "./cli/engine.ts";

const { runProgram } = await import("./cli/program.ts");
process.exitCode = await runProgram(process.argv.slice(2));
