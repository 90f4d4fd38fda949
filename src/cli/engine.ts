// Settings of the JavaScript engine, made before the program is loaded; `main.ts` imports this file first.
//
// Compiled modules are kept between starts, in the system's temporary folder (NODE_COMPILE_CACHE names another,
// NODE_DISABLE_COMPILE_CACHE=1 keeps none): stripping types and compiling is two thirds of a start's CPU time. Where
// nothing can be written it does nothing.
//
// V8 watches which object literals live long at the place where they are written and then allocates those directly in
// the old generation ("allocation site pretenuring"). Under load, objects of a request live as long as the request
// and look long-lived; once one of them is made in the old generation, it keeps the whole request (24 KB) alive until
// the next full collection, and each minor collection has to copy all of it. Measured with 64 requests at a time:
// 13 MB copied per minor collection and a tenth of the CPU time with pretenuring, 0.3 MB without.
import { enableCompileCache } from "node:module";
import { setFlagsFromString } from "node:v8";

setFlagsFromString("--no-allocation-site-pretenuring");
enableCompileCache();
