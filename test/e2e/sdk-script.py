# A user's program that knows nothing of the gateway: everything comes from its environment.
import json

import openai

client = openai.OpenAI(max_retries=0)
request = {"model": "smart", "messages": [{"role": "user", "content": "Tell me about rivers."}]}

whole = client.chat.completions.create(**request)
streamed = ""
usage_chunks = 0
for chunk in client.chat.completions.create(**request, stream=True, stream_options={"include_usage": True}):
    streamed += (chunk.choices[0].delta.content or "") if chunk.choices else ""
    usage_chunks += chunk.usage is not None

embeddings = client.embeddings.create(model="sim/sim-embed", input=["rivers", "seas"])


def failure(call):
    try:
        call()
    except openai.APIStatusError as error:
        return [error.status_code, error.code, type(error).__name__]


errors = [
    failure(lambda: client.with_options(api_key="wrong").chat.completions.create(**request)),
    failure(lambda: client.chat.completions.create(**{**request, "model": "none"})),
    failure(lambda: client.chat.completions.create(**request, n=0)),
]

print(
    json.dumps(
        {
            "whole": whole.choices[0].message.content,
            "finish_reason": whole.choices[0].finish_reason,
            "request_id": whole._request_id,
            "streamed": streamed,
            "usage_chunks": usage_chunks,
            "dimensions": [len(entry.embedding) for entry in embeddings.data],
            "models": [model.id for model in client.models.list()],
            "retrieved": client.models.retrieve("sim/sim-chat").id,
            "errors": errors,
        }
    )
)
