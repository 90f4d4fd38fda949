// How many tokens a request will use, guessed before it is sent and without a tokenizer: bytes per token and tokens
// per answer are learnt per model from the usage that providers report. A guess that is wrong is put right when the
// request is settled, so it has to be right on average and cheap, not exact.
import type { Usage } from "../observe/events.ts";
import type { Estimate } from "./cost.ts";

/** What is known of a request without reading it whole. */
export interface RequestShape {
  /** Bytes of the body without inlined media. */
  readonly textBytes: number;
  readonly imageCount: number;
  /** `max_completion_tokens` or `max_tokens`; null when the client gave none. */
  readonly maxTokens: number | null;
  /** How many answers are asked for. */
  readonly choices: number;
  /** False for requests that generate nothing, such as embeddings. */
  readonly hasOutput: boolean;
}

/** English prose and JSON are near 4 bytes per token in all current vocabularies. */
const BYTES_PER_TOKEN = 4;
/** The prior weighs as much as a conversation of this many tokens. */
const PRIOR_TOKENS = 1000;
/** One image of ordinary size costs most vendors 600 to 1,600 tokens; about 770 was measured for one. */
const TOKENS_PER_IMAGE = 800;
const OUTPUT_TOKENS = 250;
/** How much of what was known stays after each lesson. */
const KEPT = 0.95;

/** No vocabulary has a longer average; beyond it the count is about something else (a prompt kept on the provider's side). */
const BYTES_PER_TOKEN_MAX = 16;
const BYTES_PER_TOKEN_MIN = 0.5;

export class ModelEstimate {
  readonly #modelMaxTokens: number | null;
  #bytes = PRIOR_TOKENS * BYTES_PER_TOKEN;
  #tokens = PRIOR_TOKENS;
  #tokensPerImage = TOKENS_PER_IMAGE;
  #outputTokens = OUTPUT_TOKENS;
  /** Mean distance of answers from their mean. */
  #outputSpread = OUTPUT_TOKENS / 2;

  /** `modelMaxTokens`: the longest answer the model gives; null when unknown. */
  constructor(modelMaxTokens: number | null) {
    this.#modelMaxTokens = modelMaxTokens;
  }

  /** The present guess. Whole tokens. */
  of(shape: RequestShape): Estimate {
    const { maxTokens, choices } = shape;
    return {
      inputTokens: Math.ceil(this.#textTokens(shape) + shape.imageCount * this.#tokensPerImage),
      outputTokens: shape.hasOutput ? this.#answerTokens(maxTokens) * choices : 0,
      maxTokens: maxTokens === null || !shape.hasOutput ? null : maxTokens * choices,
      modelMaxTokens:
        this.#modelMaxTokens === null || !shape.hasOutput ? null : this.#modelMaxTokens * choices,
    };
  }

  /** Learns from what a finished request of this shape has used. Not from estimates, nor from answers cut short. */
  learn(shape: RequestShape, usage: Usage): void {
    if (usage.inputTokens > 0 && shape.textBytes > 0) this.#learnInput(shape, usage.inputTokens);
    if (shape.hasOutput) this.#learnOutput(usage.outputTokens / Math.max(1, shape.choices));
  }

  /** Tokens of this many bytes of generated text, for an answer whose provider reported no usage. */
  tokensOf(textBytes: number): number {
    return Math.ceil(textBytes / this.bytesPerToken);
  }

  get bytesPerToken(): number {
    return this.#bytes / this.#tokens;
  }

  #textTokens(shape: RequestShape): number {
    return shape.textBytes / this.bytesPerToken;
  }

  #answerTokens(maxTokens: number | null): number {
    const expected = Math.ceil(this.#outputTokens + this.#outputSpread);
    return Math.min(expected, maxTokens ?? Infinity, this.#modelMaxTokens ?? Infinity);
  }

  #learnInput(shape: RequestShape, inputTokens: number): void {
    if (shape.imageCount > 0) {
      const perImage = Math.max(0, inputTokens - this.#textTokens(shape)) / shape.imageCount;
      this.#tokensPerImage = blend(this.#tokensPerImage, perImage);
      return;
    }
    const ratio = shape.textBytes / inputTokens;
    const bounded = Math.min(BYTES_PER_TOKEN_MAX, Math.max(BYTES_PER_TOKEN_MIN, ratio));
    // Sums rather than ratios are averaged, so that long prompts, which cost most, count most.
    this.#bytes = this.#bytes * KEPT + bounded * inputTokens;
    this.#tokens = this.#tokens * KEPT + inputTokens;
  }

  #learnOutput(outputTokens: number): void {
    this.#outputSpread = blend(this.#outputSpread, Math.abs(outputTokens - this.#outputTokens));
    this.#outputTokens = blend(this.#outputTokens, outputTokens);
  }
}

function blend(known: number, lesson: number): number {
  return known * KEPT + lesson * (1 - KEPT);
}

/** Clients may name any model, so there is an end to how many are remembered; the rest share one estimate. */
const MODELS_MAX = 2000;

/** The estimates of all models, which outlive a reload of the configuration. */
export class Estimates {
  readonly #models = new Map<string, ModelEstimate>();
  readonly #others = new ModelEstimate(null);

  /** The estimate of a model at a provider; hold it rather than asking for every request. */
  of(provider: string, model: string, modelMaxTokens: number | null): ModelEstimate {
    const key = `${provider}/${model}`;
    const known = this.#models.get(key);
    if (known !== undefined) return known;
    if (this.#models.size >= MODELS_MAX) return this.#others;
    const estimate = new ModelEstimate(modelMaxTokens);
    this.#models.set(key, estimate);
    return estimate;
  }
}
