// Reasoning effort as Anthropic thinking: newer models decide themselves how long to think for an effort, older ones get
// a budget in tokens. Thinking excludes forced tool calls, and a budget excludes tool turns that began without thinking.
import type { Json } from "../json.ts";
import { readArray, readString } from "../json.ts";
import { reasoningEffort, type Effort } from "../shared/params.ts";
import type { ToolPlan } from "../shared/tools.ts";
import type { Capabilities } from "./models.ts";

const BUDGET_TOKENS_MIN = 1024;

/** The part of the answer's limit that may go into thinking. */
const BUDGET_SHARE: Readonly<Record<Exclude<Effort, "none">, number>> = {
  minimal: 0.1,
  low: 0.2,
  medium: 0.5,
  high: 0.8,
  xhigh: 0.9,
  max: 0.95,
};

export interface ThinkingFacts {
  /** Members the client sent in the target's own words. */
  readonly native: Json;
  readonly can: Capabilities;
  readonly maxTokens: number;
  readonly plan: ToolPlan;
  /** The conversation ends in answers to tool calls that were made without thinking. */
  readonly isToolTurnWithoutThinking: boolean;
  readonly warnings: string[];
}

export interface Thinking {
  readonly isOn: boolean;
  readonly members: Json;
  readonly effort: string | undefined;
}

const OFF: Thinking = { isOn: false, members: {}, effort: undefined };

export function thinkingFor(request: Json, facts: ThinkingFacts): Thinking {
  const { native, can, plan, warnings } = facts;
  const effort = reasoningEffort(request);
  if (native["thinking"] !== undefined) {
    const type = readString(native["thinking"], "type");
    return { isOn: type !== "disabled", members: {}, effort: undefined };
  }
  if (effort === undefined) return OFF;
  if (effort === "none")
    return can.thinking === "adaptive" ? { ...OFF, members: { thinking: { type: "disabled" } } } : OFF;
  const drop = (why: string): Thinking => {
    warnings.push(`reasoning_effort was dropped: ${why}.`);
    return OFF;
  };
  if (can.thinking === "none") return drop("the model does not think");
  if (plan.choice?.kind === "required" || plan.choice?.kind === "named") {
    return drop("the model can't think when tool_choice forces a call");
  }
  if (can.thinking === "adaptive") {
    const members = { thinking: { type: "adaptive", display: "summarized" } };
    return { isOn: true, members, effort: effort === "minimal" ? "low" : effort };
  }
  if (facts.maxTokens <= BUDGET_TOKENS_MIN)
    return drop(`thinking needs max_tokens above ${BUDGET_TOKENS_MIN}`);
  if (facts.isToolTurnWithoutThinking)
    return drop("the tool calls being answered were made without thinking");
  const wanted = Math.floor(facts.maxTokens * BUDGET_SHARE[effort]);
  const budget = Math.min(Math.max(wanted, BUDGET_TOKENS_MIN), facts.maxTokens - 1);
  return { isOn: true, members: { thinking: { type: "enabled", budget_tokens: budget } }, effort: undefined };
}

/** With a budget, the assistant turn whose calls are being answered must begin with its thinking. */
export function endsInToolTurnWithoutThinking(turns: readonly Json[]): boolean {
  const last = turns.at(-1);
  const isAnswer = readArray(last, "content").some((block) => readString(block, "type") === "tool_result");
  if (!isAnswer) return false;
  const [first] = readArray(turns.at(-2), "content");
  const type = readString(first, "type");
  return type !== "thinking" && type !== "redacted_thinking";
}
