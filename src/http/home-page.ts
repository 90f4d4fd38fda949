// What a browser shows at the gateway's address: enough to tell what this is and what to do with it.

export const HOME_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sluice</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem; }
code { font: 0.9em ui-monospace, monospace; }
</style>
</head>
<body>
<h1>Sluice</h1>
<p>This is an LLM gateway. It speaks the chat completions API and keeps each provider's quota across a whole fleet.</p>
<p>Point a client at it by its base URL: this address with <code>/v1</code> at the end.</p>
<ul>
<li><code>POST /v1/chat/completions</code>, <code>/v1/responses</code>, <code>/v1/messages</code>, <code>/v1/completions</code>, <code>/v1/embeddings</code>, <code>/v1/moderations</code>, <code>/v1/images/…</code>, <code>/v1/audio/…</code>, <code>/v1/rerank</code></li>
<li><code>/providers/NAME/…</code>: whatever else a provider has</li>
<li><a href="/v1/models"><code>GET /v1/models</code></a>: what can be asked for</li>
<li><a href="/healthz"><code>GET /healthz</code></a>, <a href="/readyz"><code>/readyz</code></a>, <a href="/metrics"><code>/metrics</code></a></li>
</ul>
</body>
</html>
`;
