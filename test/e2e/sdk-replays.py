# Reads a stream of each model named in the arguments, as users of the Python client do, and prints what it held.
import json
import sys

import openai

client = openai.OpenAI(max_retries=0)


def read(model):
    text, calls = "", {}
    try:
        for chunk in client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "Hi"}], max_tokens=2000, stream=True
        ):
            for choice in chunk.choices:
                text += choice.delta.content or ""
                for call in choice.delta.tool_calls or []:
                    known = calls.setdefault(call.index, {"name": "", "args": ""})
                    known["name"] += call.function.name or ""
                    known["args"] += call.function.arguments or ""
    except openai.APIError:
        return None
    return {"text": text, "calls": [{**call, "args": json.loads(call["args"])} for call in calls.values()]}


print(json.dumps([read(model) for model in sys.argv[1:]]))
