// A process with one replica, forked by recovery.ts to be killed, and forked again on the same folder. Its requests want
// more than its part of the quota. It sends its address, then that it serves, and from then on every few milliseconds what
// it holds and how many it has admitted.
import { systemClock } from "../../src/clock.ts";
import { Demand } from "./demand.ts";
import { Lab, MEMBERSHIP, shareOf, tightLimit, until } from "./lab.ts";

const TELL_EVERY_MS = 5;

process.send?.({ kind: "runs" });
const [folder = "", perSecond, everyMs, ...joins] = process.argv.slice(2);
const limits = [tightLimit(Number(perSecond))];
const startedMs = systemClock.elapsedMs();
const lab = await Lab.open({ replicas: 1, limits, store: "lmdb", joins, folder });
const seat = lab.seat(0);
process.send?.({ address: seat.address });
await until(() => seat.running.replica.state.isAdmitting);
// Else it serves because the time for asking is over, and nobody has told it anything.
if (systemClock.elapsedMs() - startedMs >= MEMBERSHIP.bootGraceMs)
  throw new Error("its siblings were silent");
process.send?.({ kind: "serves" });
const demand = new Demand(seat);
demand.start(Number(perSecond), Number(everyMs));
setInterval(
  () => process.send?.({ kind: "told", admitted: demand.admitted, share: shareOf(seat) }),
  TELL_EVERY_MS,
);
