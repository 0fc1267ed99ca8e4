"""Asks a daemon through OpenAI's own client and prints what came back, as JSON.

usage: client.py BASE_URL TOKEN READ_ONLY_TOKEN
"""

import json
import sys

import openai


def client(token):
    return openai.OpenAI(base_url=sys.argv[1], api_key=token, timeout=20.0, max_retries=0)


def fault(token, model):
    """Returns the client's exception for a request that fails."""
    try:
        client(token).chat.completions.create(
            model=model, messages=[{"role": "user", "content": "Hello"}]
        )
    except openai.APIStatusError as error:
        return {
            "exception": type(error).__name__,
            "status": error.status_code,
            "code": error.code,
            "type": error.type,
            "message": str(error),
        }
    return None


def chat(asking):
    answer = asking.chat.completions.create(
        model="echo",
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello there 🥖"},
        ],
        temperature=0.5,
        max_completion_tokens=16,
    )
    choice = answer.choices[0]
    return {
        "text": choice.message.content,
        "finish": choice.finish_reason,
        "tokens": answer.usage.total_tokens,
    }


def streamed(asking):
    chunks = list(
        asking.chat.completions.create(
            model="echo",
            messages=[{"role": "user", "content": "Hello there 🥖"}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    texts = [c.choices[0].delta.content for c in chunks if c.choices]
    return {
        "texts": [text for text in texts if text],
        "finish": [c.choices[0].finish_reason for c in chunks if c.choices][-1],
        "tokens": chunks[-1].usage.total_tokens,
    }


def broken_stream(asking):
    texts = []
    try:
        for chunk in asking.chat.completions.create(
            model="breaks", messages=[{"role": "user", "content": "Hello"}], stream=True
        ):
            texts.append(chunk.choices[0].delta.content)
    except openai.APIError as error:
        return {"texts": [text for text in texts if text], "code": error.code}
    return None


def embeddings(asking):
    # Left to itself the client asks for base64 and decodes it.
    usual = asking.embeddings.create(model="vectors", input=["ab", "c"])
    plain = asking.embeddings.create(model="vectors", input="ab", encoding_format="float")
    return {
        "usual": [list(one.embedding) for one in usual.data],
        "plain": [list(one.embedding) for one in plain.data],
        "tokens": usual.usage.total_tokens,
    }


def main():
    asking = client(sys.argv[2])
    found = {
        "models": [model.id for model in asking.models.list()],
        "model": asking.models.retrieve("p/echo").owned_by,
        "chat": chat(asking),
        "streamed": streamed(asking),
        "broken_stream": broken_stream(asking),
        "embeddings": embeddings(asking),
        "faults": {model: fault(sys.argv[2], model) for model in ["none", "invalid", "busy"]},
        "no_token": fault("crb_wrong", "echo"),
        "no_scope": fault(sys.argv[3], "echo"),
    }
    json.dump(found, sys.stdout)


main()
