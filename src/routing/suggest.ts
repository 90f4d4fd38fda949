// "Did you mean": the known name that is fewest edits away from what was written.

/**
 * The most similar of `names`, or null when none is similar enough: about one edit in three letters. An edit inserts,
 * deletes or replaces a letter, or swaps two neighbours (optimal string alignment). Long input is not looked at.
 */
export function didYouMean(written: string, names: Iterable<string>): string | null {
  if (written.length > 100) return null;
  const wanted = written.toLowerCase();
  let best: string | null = null;
  let edits = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const name of names) {
    if (Math.abs(name.length - wanted.length) >= edits) continue;
    const distance = editDistance(wanted, name.toLowerCase());
    if (distance < edits) {
      edits = distance;
      best = name;
    }
  }
  return best;
}

function editDistance(left: string, right: string): number {
  let before: number[] = [];
  let above = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const isSame = left[row - 1] === right[column - 1];
      let edits = Math.min(
        (above[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (above[column - 1] ?? 0) + (isSame ? 0 : 1),
      );
      if (
        row > 1 &&
        column > 1 &&
        left[row - 1] === right[column - 2] &&
        left[row - 2] === right[column - 1]
      ) {
        edits = Math.min(edits, (before[column - 2] ?? 0) + 1);
      }
      current.push(edits);
    }
    before = above;
    above = current;
  }
  return above[right.length] ?? 0;
}
