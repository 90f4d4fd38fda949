// Azure OpenAI. Its v1 API is plain chat completions (`…/openai/v1`, the deployment as model): data in the catalog. The
// older API has the deployment in the path and an `api-version` in the query; that is all this file holds. The key goes
// into the header `api-key`, an Entra token into `authorization: Bearer`. The first chunk of a stream has no choices and
// an empty id (`prompt_filter_results`); the normaliser passes it on without taking its id for the stream's.
// Azure OpenAI REST reference: https://learn.microsoft.com/azure/ai-foundry/openai/reference
import type { DialectTarget } from "./dialect.ts";

/** The oldest generally available version that has everything this gateway asks for. */
const API_VERSION = "2024-10-21";

/** Path and query of a deployment's route: `/openai/deployments/NAME/chat/completions?api-version=…`. */
export function deploymentPath(route: string, target: DialectTarget): string {
  const version = target.options["api_version"] ?? API_VERSION;
  const deployment = encodeURIComponent(target.options["deployment"] ?? target.model);
  return `/openai/deployments/${deployment}${route}?api-version=${encodeURIComponent(version)}`;
}
