// What docs/BUCKET.md says of the small model is what is searched. Not beside the searches: those run without the documents
// too, where faults are planted.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Search, SEARCHES } from "../sim/small/searches.ts";

test("docs/BUCKET.md says how many searches there are, who acts in them, and how deep they go", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/BUCKET.md"), "utf8");
  const ofAll = SEARCHES.filter(({ active }) => active === undefined);
  const ofTwo = SEARCHES.filter(({ active }) => active !== undefined);
  const depths = (searches: readonly Search[]): string => {
    const steps = searches.map(({ depth }) => depth);
    return `${Math.min(...steps)} to ${Math.max(...steps)} steps`;
  };
  expect(page).toContain(
    `Of ${SEARCHES.length} searches ${ofAll.length} move all three, ${depths(ofAll)} deep, and ${ofTwo.length} only two of them, ${depths(ofTwo)} deep`,
  );
});
