import { describe, expect, test } from "vitest";
import { DIALECTS } from "../../../providers/dialects/index.ts";
import { CLIENTS } from "../clients.ts";
import {
  ARE_RECORDINGS_ABSENT,
  decodePieces,
  everyCut,
  namedSse,
  NOTICE,
  recordedLines,
  recordedStreams,
  summary,
  target,
  type Decoded,
} from "../recordings.ts";

const { chat } = DIALECTS.get("anthropic")!;

function decode(bytes: Uint8Array, includeUsage = false): Decoded {
  return decodePieces(chat.stream(target(), includeUsage), [bytes]);
}

describe.skipIf(ARE_RECORDINGS_ABSENT)(`recorded streams${NOTICE}`, () => {
  const streams: [string, Uint8Array][] = [
    ["a tool without arguments", namedSse(recordedLines("anthropic/anthropic-tool-no-args.chunks.txt"))],
    ...["stream-thinking-signature", "stream-prompt-caching"].flatMap((name) =>
      recordedStreams(`anthropic/${name}.json`).map((bytes, index): [string, Uint8Array] => [
        `${name} ${index}`,
        bytes,
      ]),
    ),
  ];

  test.each(streams)("%s is accepted by official clients", async (_, bytes) => {
    const { chunks, failure, usage } = decode(bytes, true);
    expect(failure).toBeNull();
    expect(usage?.inputTokens).toBeGreaterThan(0);
    expect(usage?.outputTokens).toBeGreaterThan(0);
    for (const client of CLIENTS) await expect(client.accumulate(chunks)).resolves.toBeDefined();
  });

  test.each(streams)("%s gives the same chunks wherever it is cut", (_, bytes) => {
    const whole = decode(bytes);
    for (const pieces of everyCut(bytes))
      expect(decodePieces(chat.stream(target(), false), pieces)).toEqual(whole);
  });

  test("are read for what they hold", () => {
    const [noArguments, thinking, written, read] = streams.map(([, bytes]) => decode(bytes));
    expect(summary(noArguments?.chunks ?? []).tools).toEqual([
      { id: "toolu_01QE1WLsSVp5hy5Q3GmGTmjP", name: "updateIssueList", args: "{}" },
    ]);
    expect(summary(thinking?.chunks ?? []).reasoning).toContain("strawberry");
    expect(JSON.stringify(thinking?.chunks)).toMatch(/"signature":"[^"]{50}/);
    expect(written?.usage).toMatchObject({ inputTokens: 1169, cacheWriteTokens: 1165 });
    expect(read?.usage).toMatchObject({ inputTokens: 1169, cachedInputTokens: 1165 });
  });
});
