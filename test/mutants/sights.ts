// Faults in what people are shown: the fleet's parts, the bytes between siblings, and providers that refuse.
import type { Mutant } from "./suites.ts";

export const SIGHTS: readonly Mutant[] = [
  {
    fault: "the founder is shown with nothing of a bucket that nobody has used",
    file: "src/fleet/view.ts",
    find: "gauge?.level ?? untoldLevel(state, holding, member.id)",
    replace: "gauge?.level ?? 0",
    by: "one replica",
  },
  {
    fault: "the bytes of answers are not counted as received",
    file: "src/fleet/gate.ts",
    find: "    const answer = this.#unseal(frame);",
    replace: "    const answer = openFrame(this.#secret, frame);",
    by: "messages",
  },
  {
    fault: "bytes count as sent that nobody was there for",
    file: "src/fleet/http-transport.ts",
    find: "const onStart = (): void => this.#gate.countSent(frame);",
    replace: "this.#gate.countSent(frame);\n      const onStart = (): void => {};",
    by: "messages",
  },
  {
    fault: "a provider's refusal is told with the level that the provider has brought it down to",
    file: "src/gateway/target-limits.ts",
    find: `    this.#tell(waitMs, now);
    const advice = advisor.advise({ status: 429, headers, body, waitMs }, now, clock.wallMs());
`,
    replace: `    const advice = advisor.advise({ status: 429, headers, body, waitMs }, now, clock.wallMs());
    if (advice !== null) this.#heed(advice, now, now);
    this.#tell(waitMs, now);
`,
    by: "messages",
  },
  {
    fault: "a provider's refusal for a limit of a day is told nobody",
    file: "src/gateway/relay/answer-error.ts",
    find: "  else if (isMetered) limits.spent(waitMs);",
    replace: "",
    by: "messages",
  },
  {
    fault: "each of thousands of refusals has a line in the log",
    file: "src/observe/provider-refusals.ts",
    find: "now - series.toldMs < LINE_EVERY_MS",
    replace: "now - series.toldMs < 0",
    by: "messages",
  },
];
