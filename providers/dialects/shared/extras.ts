// What an answer holds that the client's language has no place for: results of a provider's own tools, sources, sounds,
// pictures. Chat answers carry it under `extra_content` and in members that providers have added to the language; other
// clients get all of it under `extra_content`, once, with the answer or at the end of its stream.
import { isObject, readArray, type Json } from "../json.ts";

/** Members of messages and deltas that only chat clients know. */
const OF_MESSAGES = ["annotations", "audio", "content_parts", "images"];
/** Members of whole answers and chunks. Providers repeat them, so that the last is all of them. */
const OF_ANSWERS = ["citations", "search_results"];

export class Extras {
  readonly #carried: ReadonlySet<string>;
  #kept: Json = {};

  /** `carried`: members of messages that the client's language has after all. */
  constructor(...carried: readonly string[]) {
    this.#carried = new Set(carried);
  }

  /** A message, or one delta of it. */
  note(message: Json): void {
    const { extra_content: extra } = message;
    if (isObject(extra)) this.#kept = merged(this.#kept, extra);
    for (const name of OF_MESSAGES) {
      const value = message[name];
      if (isObject(value) || readArray(message, name).length > 0) {
        if (!this.#carried.has(name)) this.#kept = merged(this.#kept, { [name]: value });
      }
    }
  }

  /** A whole answer, or one chunk of it. */
  noteAnswer(answer: Json): void {
    for (const name of OF_ANSWERS) {
      if (readArray(answer, name).length > 0) this.#kept = { ...this.#kept, [name]: answer[name] };
    }
  }

  /** A member to spread into the answer; none when there is nothing. */
  get member(): Json {
    return Object.keys(this.#kept).length === 0 ? {} : { extra_content: this.#kept };
  }
}

/** Lists grow, objects are merged, of other values the later counts. */
function merged(left: Json, right: Json): Json {
  const all: Record<string, unknown> = { ...left };
  for (const [key, value] of Object.entries(right)) {
    const known = all[key];
    if (Array.isArray(known) && Array.isArray(value)) all[key] = [...known, ...value];
    else all[key] = isObject(known) && isObject(value) ? merged(known, value) : value;
  }
  return all;
}
