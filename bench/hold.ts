// Opens many streams at one server and keeps them open, from its own process, until its input ends.
//
//   node bench/hold.ts PORT STREAMS
//
// Prints "held" once every stream has had its first event.
import { connect } from "node:net";
import { chatRequest } from "./load.ts";

const port = Number(process.argv[2]);
const streams = Number(process.argv[3]);
/** How many are opened at a time: a server's backlog is short. */
const OPENING = 100;

const request = chatRequest({ isStream: true }, ',"hold":true');
let opened = 0;
let begun = 0;

function open(): void {
  if (opened >= streams) return;
  opened++;
  const socket = connect({ port, host: "127.0.0.1" });
  let seen = "";
  socket.on("connect", () => socket.write(request));
  socket.on("data", (chunk: Buffer) => {
    if (seen.includes("data: ")) return;
    seen += chunk.toString("latin1");
    if (!seen.includes("data: ")) return;
    begun++;
    if (begun === streams) console.log("held");
    open();
  });
  socket.on("error", (error) => {
    console.error(`A stream broke: ${error.message}`);
    process.exit(1);
  });
}

for (let i = 0; i < OPENING; i++) open();
process.stdin.on("end", () => process.exit()).resume();
