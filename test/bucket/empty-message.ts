// A message that says nothing, for tests to put into it what matters to them.
import type { WholeMessage } from "../../src/bucket/message.ts";

export function messageOf(sender: string): WholeMessage {
  return {
    sender,
    boot: 1,
    serial: 1,
    lineage: null,
    wantsAnswer: false,
    isLeaving: false,
    isAware: false,
    receiver: null,
    vector: new Map([[sender, { boot: 1, version: 0 }]]),
    era: 0,
    forgotten: 0,
    farewells: [],
    carriedOut: 0,
    sections: [],
  };
}
