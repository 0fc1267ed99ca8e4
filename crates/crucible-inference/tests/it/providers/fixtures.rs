//! Answers in the words of each protocol's public documentation, shortened.
//!
//! - OpenAI: <https://platform.openai.com/docs/api-reference/chat/create>,
//!   `.../chat-streaming`, `.../embeddings/create`, `.../models/list`
//! - Ollama: <https://docs.ollama.com/api/chat>, `.../embed`, `.../tags`
//! - Anthropic: <https://docs.anthropic.com/en/api/messages>, `.../messages-streaming`,
//!   `.../models-list`

use crucible_inference::providers::ProviderKind;

pub(super) const fn stream_type(kind: ProviderKind) -> &'static str {
    match kind {
        ProviderKind::OpenAi | ProviderKind::Anthropic => "text/event-stream; charset=utf-8",
        ProviderKind::Ollama => "application/x-ndjson",
    }
}

/// A whole answer: `Hello there 🥖`, 13 tokens read, 7 written.
pub(super) const fn generation(kind: ProviderKind) -> &'static str {
    match kind {
        ProviderKind::OpenAi => {
            r#"{"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion",
            "created":1741569952,"model":"m-2025-04-14","choices":[{"index":0,"message":
            {"role":"assistant","content":"Hello there 🥖","refusal":null,"annotations":[]},
            "logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":13,
            "completion_tokens":7,"total_tokens":20,"prompt_tokens_details":{"cached_tokens":0}},
            "service_tier":"default"}"#
        }
        ProviderKind::Ollama => {
            r#"{"model":"m","created_at":"2023-12-12T14:13:43.416799Z","message":
            {"role":"assistant","content":"Hello there 🥖"},"done":true,"done_reason":"stop",
            "total_duration":5191566416,"load_duration":2154458,"prompt_eval_count":13,
            "prompt_eval_duration":383809000,"eval_count":7,"eval_duration":4799921000}"#
        }
        ProviderKind::Anthropic => {
            r#"{"id":"msg_013Zva2CMHLNnXjNJJKqJ2EF","type":"message","role":"assistant",
            "content":[{"type":"thinking","thinking":"Hm.","signature":"x"},
            {"type":"text","text":"Hello "},{"type":"text","text":"there 🥖"}],"model":"m",
            "stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,
            "cache_creation_input_tokens":4,"cache_read_input_tokens":6,"output_tokens":7}}"#
        }
    }
}

/// The same answer piece by piece, cut off for want of tokens.
pub(super) const fn stream(kind: ProviderKind) -> &'static str {
    match kind {
        ProviderKind::OpenAi => {
            r#"data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"m","choices":[{"index":0,"delta":{"content":"Hello "},"logprobs":null,"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"m","choices":[{"index":0,"delta":{"content":"there 🥖"},"logprobs":null,"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"m","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"length"}],"usage":null}

data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"m","choices":[],"usage":{"prompt_tokens":13,"completion_tokens":7,"total_tokens":20}}

data: [DONE]

"#
        }
        ProviderKind::Ollama => {
            r#"{"model":"m","created_at":"2023-08-04T08:52:19.385406455-07:00","message":{"role":"assistant","content":"Hello ","images":null},"done":false}
{"model":"m","created_at":"2023-08-04T08:52:19.485406455-07:00","message":{"role":"assistant","content":"there 🥖"},"done":false}
{"model":"m","created_at":"2023-08-04T19:22:45.499127Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"length","total_duration":4883583458,"load_duration":1334875,"prompt_eval_count":13,"prompt_eval_duration":342546000,"eval_count":7,"eval_duration":4535599000}
"#
        }
        ProviderKind::Anthropic => {
            r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"m","stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":13,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm."}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello "}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"there 🥖"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"max_tokens","stop_sequence":null},"usage":{"output_tokens":7}}

event: message_stop
data: {"type":"message_stop"}

"#
        }
    }
}

/// A stream that goes on after `Hello `.
pub(super) fn beginning(kind: ProviderKind) -> String {
    let whole = stream(kind);
    let (before, after) = whole.split_once("Hello ").unwrap();
    let end = if kind == ProviderKind::Ollama {
        "\n"
    } else {
        "\n\n"
    };
    let rest = after.split_inclusive(end).next().unwrap();
    format!("{before}Hello {rest}")
}

/// The provider gives up in the middle of a stream.
pub(super) const fn stream_fault(kind: ProviderKind) -> &'static str {
    match kind {
        ProviderKind::OpenAi => {
            "data: {\"error\":{\"message\":\"Overloaded\",\"type\":\"server_error\"}}\n\n"
        }
        ProviderKind::Ollama => "{\"error\":\"Overloaded\"}\n",
        ProviderKind::Anthropic => {
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n"
        }
    }
}

/// A fault with `message`.
pub(super) fn fault(kind: ProviderKind, message: &str) -> String {
    match kind {
        ProviderKind::OpenAi => format!(
            r#"{{"error":{{"message":"{message}","type":"invalid_request_error","param":null,"code":null}}}}"#
        ),
        ProviderKind::Ollama => format!(r#"{{"error":"{message}"}}"#),
        ProviderKind::Anthropic => format!(
            r#"{{"type":"error","error":{{"type":"api_error","message":"{message}"}},"request_id":"req_1"}}"#
        ),
    }
}

/// The vectors (3, 4) and (0, -2), eight tokens read; OpenAI's in the wrong order.
pub(super) fn vectors(kind: ProviderKind) -> &'static str {
    match kind {
        ProviderKind::OpenAi => {
            r#"{"object":"list","data":[{"object":"embedding","embedding":[0.0,-2.0],"index":1},
            {"object":"embedding","embedding":[3.0,4.0],"index":0}],"model":"m",
            "usage":{"prompt_tokens":8,"total_tokens":8}}"#
        }
        ProviderKind::Ollama => {
            r#"{"model":"m","embeddings":[[3.0,4.0],[0.0,-2.0]],"total_duration":14143917,
            "load_duration":1019500,"prompt_eval_count":8}"#
        }
        ProviderKind::Anthropic => panic!("it has no embeddings"),
    }
}

/// Two models; the names are [`model_names`].
pub(super) const fn models(kind: ProviderKind) -> &'static str {
    match kind {
        ProviderKind::OpenAi => {
            r#"{"object":"list","data":[{"id":"gpt-5-mini","object":"model","created":1686935002,
            "owned_by":"openai"},{"id":"text-embedding-3-small","object":"model",
            "created":1686935003,"owned_by":"openai"}]}"#
        }
        ProviderKind::Ollama => {
            r#"{"models":[{"name":"gemma3:latest","model":"gemma3:latest",
            "modified_at":"2025-10-03T23:34:03.409490317-07:00","size":3338801804,
            "digest":"a2af6cc3eb7f","details":{"format":"gguf","family":"gemma","families":
            ["gemma"],"parameter_size":"4.3B","quantization_level":"Q4_K_M"}},
            {"name":"all-minilm:latest","model":"all-minilm:latest",
            "modified_at":"2025-10-03T23:34:03.409490317-07:00","size":45960996,
            "digest":"1b226e2802db","details":{"format":"gguf","family":"bert","families":
            ["bert"],"parameter_size":"23M","quantization_level":"F16"}}]}"#
        }
        ProviderKind::Anthropic => {
            r#"{"data":[{"type":"model","id":"claude-opus-4-6","display_name":"Claude Opus 4.6",
            "created_at":"2026-02-04T00:00:00Z"},{"type":"model","id":"claude-haiku-4-5",
            "display_name":"Claude Haiku 4.5","created_at":"2025-10-15T00:00:00Z"}],
            "first_id":"claude-opus-4-6","has_more":false,"last_id":"claude-haiku-4-5"}"#
        }
    }
}

pub(super) const fn model_names(kind: ProviderKind) -> [&'static str; 2] {
    match kind {
        ProviderKind::OpenAi => ["gpt-5-mini", "text-embedding-3-small"],
        ProviderKind::Ollama => ["gemma3:latest", "all-minilm:latest"],
        ProviderKind::Anthropic => ["claude-opus-4-6", "claude-haiku-4-5"],
    }
}
