// What errors mean, as a table: the first row whose conditions all hold decides. Codes come before messages, and what a
// status alone says comes last. A message is trusted only together with a status, because messages repeat what
// clients wrote. Sources: the providers' documentation of errors and recorded answers.

/** What an error means for what to do next. */
export type ErrorKind =
  /** Money or a long quota is used up: stop using this key until then. */
  | "quota_spent"
  /** Too much in a short time: wait, or go elsewhere. */
  | "rate_limited"
  /** The provider has too much to do, whoever asks. */
  | "overloaded"
  /** No room for this class of service or model now; says nothing about our quota. */
  | "capacity"
  | "bad_request"
  | "auth"
  /** The model, or the path, does not exist there. */
  | "not_found"
  | "content_filter"
  /** The prompt is too long for this model, or for this account at once; a larger one may take it. */
  | "context_length"
  | "transient";

interface Rule {
  readonly kind: ErrorKind;
  /** One of these; an error inside a success has no status, and the condition is no matter there. */
  readonly statuses?: readonly number[];
  /** One of the error's codes matches. */
  readonly code?: RegExp;
  readonly message?: RegExp;
}

const REFUSALS = [400, 402, 403, 404, 422, 429];
const FAULTS = [400, 413, 422, 500];

/** Quotas of a day or a month, as codes name them. */
export const LONG_QUOTA_CODE = /Per(Day|Month)(Per|-|$)/;

export const RULES: readonly Rule[] = [
  // Longer than a minute, named by the quota; before anything else, because such messages speak of billing for every quota.
  { kind: "quota_spent", code: LONG_QUOTA_CODE },
  { kind: "rate_limited", code: /Per(Minute|Second)(Per|-|$)/ },
  // Before messages about tokens: these say "too many tokens" too.
  { kind: "rate_limited", code: /^[Tt]hrottl\w*(\.\w+)?$/ },
  {
    kind: "context_length",
    code: /^(context_length_exceeded|context_window_exceeded|model_max_prompt_tokens_exceeded|max_tokens_exceeded|exceed_context_size_error)$/,
  },
  // A request that is too large for a rate can never pass it: waiting is useless.
  { kind: "context_length", statuses: [413, 429], message: /request too large for|tokens must be reduced/i },
  {
    kind: "quota_spent",
    code: /^(insufficient_quota|insufficient_balance|insufficient_credits|credit_balance_exhausted|(\w+_)?spend_limit_(exceeded|reached)|\w+_usage_limit_exceeded|billing_error|billing_hard_limit_reached|billing_not_active|exceeded_current_quota_error|payment_required|ServiceQuotaExceededException|Arrearage)$/i,
  },
  // A field of the request is at fault. These messages repeat values that clients wrote, so no message is trusted here.
  {
    kind: "bad_request",
    statuses: [400, 422],
    code: /^((unknown|unsupported|missing_required|invalid)_(parameter|value|type|argument|field)s?|(decimal|integer|string|array|object|float)_\w+|invalid_(image|file|function|schema|json)\w*|unsupported_(file|media|image)\w*|missing|tool_use_failed|json_validate_failed)$/,
  },
  {
    kind: "quota_spent",
    statuses: REFUSALS,
    message:
      /credit balance is too low|insufficient (account )?(balance|quota|credits?|funds)|exceeded your current quota|reached your specified .{0,20}usage limits|spend(ing)? (limit|cap)|(requires|need) more credits|out of credits|account .{0,40}(arrears|overdue|suspended due to)/i,
  },
  { kind: "quota_spent", statuses: [402, 403, 429], message: /\bbilling\b|payment required/i },
  {
    kind: "content_filter",
    code: /^(content_filter\w*|content_policy_violation|ResponsibleAIPolicyViolation|moderation_blocked|data_inspection_failed|DataInspectionFailed|invalid_prompt|safety_\w+|content_blocked)$/,
  },
  {
    kind: "content_filter",
    statuses: [400, 403, 422],
    message:
      /content (management )?policy|content filter|safety system|(input|prompt|content) .{0,40}(was|were|been) flagged|requires moderation/i,
  },
  {
    kind: "context_length",
    statuses: FAULTS,
    message:
      /maximum context length|max(imum)? (model|sequence|prompt|input) length|max_seq_len|context (window|limit|length|size)|prompt is too long|input is too long|too many (input |total |prompt )?tokens|(input|prompt) token count .{0,40}exceeds|input tokens? exceed|reduce the length of|too large for model with|length of all messages is too long|exceeds? the (maximum|model'?s|available) .{0,40}(token|context)/i,
  },
  {
    kind: "overloaded",
    code: /^(overloaded\w*|engine_overloaded_error|server_is_overloaded|server_overloaded|ServiceUnavailable(Exception)?|serviceUnavailableException|ModelNotReadyException|UNAVAILABLE|service_unavailable\w*|queue_exceeded)$/i,
  },
  {
    kind: "capacity",
    code: /^(capacity_exceeded|service_tier_capacity_exceeded|flex_\w*capacity\w*|no_capacity|resource_unavailable)$/i,
  },
  {
    kind: "capacity",
    statuses: [429, 498, 503],
    message:
      /capacity|high (demand|load|traffic)|rate-limited upstream|resources? (has been |is |are )?exhausted/i,
  },
  {
    kind: "overloaded",
    statuses: [429, 500, 503, 529],
    message: /overloaded|currently (un)?loading|is loading|too busy|over capacity/i,
  },
  {
    kind: "rate_limited",
    code: /^(rate_?limit\w*|slow_down|too_many_requests|TooManyRequests\w*|RESOURCE_EXHAUSTED|tokens|requests)$/i,
    statuses: [400, 403, 429, 503],
  },
  // Stored things that are not models; another provider has them even less, and the model is well.
  {
    kind: "bad_request",
    statuses: [400, 404],
    code: /^(?!model|deployment)\w+_not_found$/,
    message: /^(?!.*\bmodel\b)/is,
  },
  { kind: "bad_request", statuses: [404], message: /invalid url|unknown (path|route|request url)/i },
  {
    kind: "not_found",
    code: /^(model_not_found|model_not_available|model_decommissioned|model_not_supported|unknown_model|invalid_model\w*|DeploymentNotFound|ModelNotFound\w*|ResourceNotFoundException|NOT_FOUND|not_found_error|model_terms_required)$/,
  },
  {
    kind: "not_found",
    statuses: [400, 403, 404, 422],
    message:
      /model identifier is invalid|(the )?model:? .{0,200}(does not exist|doesn't exist|not exist|was not found|not found|is not supported(?! \w)|has been (deprecated|decommissioned|retired))|(unknown|invalid|unsupported) model\b|not a valid model|no (such model|endpoints found)|don't have access to the model|not have access to (the )?model|on-demand throughput isn.t supported/i,
  },
  {
    kind: "auth",
    code: /^(invalid_api_key|incorrect_api_key|API_KEY_INVALID|API_KEY_\w+|authentication_error|invalid_authentication\w*|permission_(error|denied)|PERMISSION_DENIED|UNAUTHENTICATED|AccessDenied(Exception)?|UnrecognizedClientException|ExpiredToken(Exception)?|InvalidSignatureException|IncompleteSignature\w*|MissingAuthenticationToken\w*|InvalidApiKey|account_deactivated|unsupported_country_region_territory)$/,
  },
  {
    kind: "auth",
    statuses: [400, 422],
    message:
      /(incorrect|invalid|missing|expired|valid) (api|access)[ -]key|api[ -]key (not|is not|has) (valid|expired|been)|security token .{0,30}(invalid|expired)|reported as leaked/i,
  },
  // Only where no status says it: inside a success.
  {
    kind: "bad_request",
    statuses: [],
    code: /^(invalid_request_error|INVALID_ARGUMENT|[Vv]alidationException|BadRequestError)$/,
  },
];

/** What a status says by itself; a class of statuses by its hundred. */
export const BY_STATUS: Readonly<Record<number, ErrorKind>> = {
  400: "bad_request",
  401: "auth",
  402: "quota_spent",
  403: "auth",
  404: "not_found",
  408: "transient",
  409: "transient",
  410: "not_found",
  425: "transient",
  429: "rate_limited",
  // The head that was too large is the gateway's: nothing that the client could mend, and another provider may take it.
  431: "transient",
  494: "transient",
  // Capacity of a lower tier, at one provider; a broken token elsewhere, where it never comes with a body like ours.
  498: "capacity",
  499: "transient",
  500: "transient",
  503: "overloaded",
  529: "overloaded",
};
