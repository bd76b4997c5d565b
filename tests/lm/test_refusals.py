"""What endpoints say when they refuse a request, in the shapes and words that they have."""

from __future__ import annotations

import json
from typing import Any

import pytest

from langprog.errors import (
    AuthError,
    BadRequestError,
    ContentFilterError,
    ContextWindowError,
    LMError,
    ServerError,
    TruncatedError,
)
from langprog.lm import (
    Budget,
    Ledger,
    Message,
    Reasoning,
    Request,
    Sampling,
    ToolCall,
    ToolResult,
    ToolSpec,
    WithoutTools,
)
from langprog.lm.openai_errors import error_of, read_error
from langprog.lm.refusals import NAMED, refusal_in

MESSAGES = (
    Message("system", "Be brief."),
    Message("user", "hello"),
    Message("assistant", (Reasoning("hm"), ToolCall("c", "look", "{}"))),
    Message("tool", (ToolResult("c", "found"),)),
    Message("assistant", (ToolCall("d", "look", "{}"),)),
    Message("tool", (ToolResult("d", "found"),)),
)
SCHEMA = {"type": "object", "properties": {"temperature": {"type": "number"}}}
FULL = Sampling(
    temperature=0.2,
    max_tokens=64,
    top_p=0.9,
    stop=("END",),
    seed=7,
    reasoning_effort="low",
    extra={"presence_penalty": 1.0, "top_k": 20},
)
EVERYTHING = Request(
    MESSAGES, FULL, n=3, response_schema=SCHEMA, logprobs=True, tool_choice="auto"
)


def openai(message: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    kind = "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def pydantic(place: str, kind: str = "extra_forbidden", message: str = "", value: Any = 1) -> Any:
    message = message or "Extra inputs are not permitted"
    return [{"type": kind, "loc": ["body", place], "msg": message, "input": value}]


def vllm(message: str, param: str | None = None) -> dict[str, Any]:
    return {
        "object": "error",
        "message": message,
        "type": "BadRequestError",
        "param": param,
        "code": 400,
    }


def gemini(message: str) -> list[dict[str, Any]]:
    return [{"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}]


def xai(message: str) -> dict[str, Any]:
    return {"code": "Client specified an invalid argument", "error": message}


def gateway(inside: Any) -> dict[str, Any]:
    raw = {"raw": json.dumps(inside), "provider_name": "Other"}
    return {"error": {"message": "Provider returned error", "code": 400, "metadata": raw}}


def cerebras(name: str) -> dict[str, Any]:
    message = f"body.{name}: property 'body.{name}' is unsupported"
    return {
        "message": message,
        "type": "invalid_request_error",
        "param": "validation_error",
        "code": "wrong_api_format",
    }


FIXED = "does not support {} with this model. Only the default (1) value is supported."
PLAIN = "Unsupported parameter: '{0}' is not supported with this model."
# The setting that is refused; the status; the body.
REFUSED: list[tuple[str, int, Any]] = [
    ("reasoning_content", 400, cerebras("messages.2.assistant.reasoning_content")),
    ("reasoning_content", 422, pydantic("messages.2.reasoning_content")),
    ("reasoning_content", 400, openai("Unknown parameter: 'messages[2].reasoning_content'.")),
    (
        "missing_reasoning",
        400,
        openai("Missing `reasoning_content` field in the assistant message at message index 4"),
    ),
    (
        "missing_reasoning",
        400,
        openai("The `reasoning_content` in the thinking mode must be passed back to the API."),
    ),
    # OpenAI
    (
        "temperature",
        400,
        openai(
            f"Unsupported value: 'temperature' {FIXED.format('0.2')}",
            "temperature",
            "unsupported_value",
        ),
    ),
    ("n", 400, openai(f"Unsupported value: 'n' {FIXED.format('3')}", "n", "unsupported_value")),
    *[
        (name, 400, openai(PLAIN.format(name), name, "unsupported_parameter"))
        for name in ("top_p", "stop", "seed", "logprobs", "reasoning_effort", "tool_choice")
    ],
    (
        "max_tokens",
        400,
        openai(
            f"{PLAIN.format('max_tokens')} Use 'max_completion_tokens' instead.",
            "max_tokens",
            "unsupported_parameter",
        ),
    ),
    ("logprobs", 403, openai("You are not allowed to request logprobs from this model")),
    ("reasoning_effort", 400, openai("Unrecognized request argument supplied: reasoning_effort")),
    (
        "response_format",
        400,
        openai(
            "Invalid parameter: 'response_format' of type 'json_schema' "
            "is not supported with this model. Learn more about supported "
            "models at the Structured Outputs guide."
        ),
    ),
    (
        "system",
        400,
        openai(
            "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
            "messages[0].role",
            "unsupported_value",
        ),
    ),
    # Azure
    ("logprobs", 400, openai("Unrecognized request argument supplied: logprobs")),
    ("stream_options", 400, openai("Unrecognized request argument supplied: stream_options")),
    (
        "response_format",
        400,
        {
            "error": {
                "code": "BadRequest",
                "message": "response_format value "
                "as json_schema is enabled only for api versions "
                "2024-08-01-preview and later",
            }
        },
    ),
    (
        "seed",
        400,
        {
            "error": {
                "code": "Invalid input",
                "status": 422,
                "message": "Extra parameters "
                "['seed'] are not allowed when extra-parameters is not set or set to "
                "be 'error'.",
            }
        },
    ),
    # Anthropic and Bedrock
    ("temperature", 400, openai("`temperature` is deprecated for this model.")),
    (
        "top_p",
        400,
        openai(
            "`temperature` and `top_p` cannot both be specified for this model. "
            "Please use only one."
        ),
    ),
    ("temperature", 400, openai("`temperature` may only be set to 1 when thinking is enabled.")),
    (
        "top_p",
        400,
        {
            "message": "Malformed input request: #: extraneous key [top_p] is not "
            "permitted, please reformat your input and try again."
        },
    ),
    (
        "system",
        400,
        {
            "message": "This model doesn't support system messages. Try again without a "
            "system message or use a model that supports system messages."
        },
    ),
    (
        "stop",
        400,
        {
            "message": "This model doesn't support the stopSequences field. Remove "
            "stopSequences and try again."
        },
    ),
    # Google
    (
        "seed",
        400,
        gemini('Invalid JSON payload received. Unknown name "seed": Cannot find field.'),
    ),
    ("logprobs", 400, gemini("Logprobs is not enabled for models/gemini-2.5-pro")),
    ("n", 400, gemini("Multiple candidates is not enabled for this model")),
    ("n", 400, gemini("Only one candidate can be specified in the current model")),
    ("system", 400, gemini("Developer instruction is not enabled for models/gemma-3-27b-it")),
    ("response_format", 400, gemini("JSON mode is not enabled for models/gemma-3-27b-it")),
    (
        "logprobs",
        400,
        gemini("Unable to submit request because Logprobs is not supported for this model."),
    ),
    # Mistral
    *[
        (
            name,
            422,
            {
                "object": "error",
                "message": {"detail": pydantic(name)},
                "type": "invalid_request_error",
                "param": None,
                "code": None,
            },
        )
        for name in ("seed", "logprobs", "stream_options", "reasoning_effort")
    ],
    (
        "n",
        400,
        {
            "object": "error",
            "message": "Number of generated completions n must be 1 when using greedy sampling.",
            "type": "invalid_request_message",
            "code": "3051",
        },
    ),
    # Groq
    ("n", 400, openai("'n' : number must be at most 1")),
    ("logprobs", 400, openai("property 'logprobs' is unsupported, did you mean 'stop'?")),
    ("logprobs", 400, openai("`logprobs` is not supported with this model")),
    ("reasoning_effort", 400, openai("reasoning_effort is not supported with this model")),
    (
        "response_format",
        400,
        openai(
            "This model does not support response format `json_schema`. "
            "See supported models at the documentation."
        ),
    ),
    # DeepSeek, Together, Fireworks, Cerebras, Cohere, Perplexity, SambaNova, NIM
    ("response_format", 400, openai("This response_format type is unavailable now")),
    (
        "response_format",
        422,
        "Failed to deserialize the JSON body into the target type: "
        "response_format: unknown variant `json_schema`, expected `text` at line 1 column 90",
    ),
    ("seed", 400, openai("Extra inputs are not permitted, field: 'seed', value: 7")),
    *[(name, 400, cerebras(name)) for name in ("logprobs", "seed", "stop", "n", "top_p")],
    ("logprobs", 422, {"message": "unknown field: parameter 'logprobs' is not a valid field"}),
    ("seed", 400, {"detail": "Validation: Unsupported parameter(s): `seed`"}),
    ("reasoning_effort", 400, openai("Unsupported parameter: `reasoning_effort`")),
    # xAI
    *[(name, 501, openai(f"{name} not implemented")) for name in ("stop", "top_p", "seed")],
    *[
        (name, 400, openai(f"{name}: Extra inputs are not permitted"))
        for name in ("stop", "top_p", "temperature")
    ],
    ("stop", 400, xai("Argument not supported on this model: stop")),
    ("logprobs", 400, xai("Argument not supported on this model: logprobs")),
    ("reasoning_effort", 400, xai("Argument not supported on this model: reasoningEffort")),
    ("reasoning_effort", 400, xai("Model grok-4 does not support parameter reasoningEffort.")),
    # OpenRouter and other gateways
    (
        "temperature",
        400,
        gateway(
            openai(
                f"Unsupported value: 'temperature' {FIXED.format('0.2')}",
                "temperature",
                "unsupported_value",
            )
        ),
    ),
    ("stop", 400, gateway(xai("Argument not supported on this model: stop"))),
    (
        "tool_choice",
        404,
        {
            "error": {
                "message": "No endpoints found that support the provided 'tool_choice' value.",
                "code": 404,
            }
        },
    ),
    (
        "seed",
        400,
        {"error_code": "BAD_REQUEST", "message": 'Bad request: json: unknown field "seed"\n'},
    ),
    (
        "stop",
        400,
        openai(
            'litellm.BadRequestError: XaiException - {"code":"Client specified an '
            'invalid argument","error":"Argument not supported on this model: '
            'stop"}. Received Model Group=grok'
        ),
    ),
    # vLLM, SGLang, TGI, Ollama, llama.cpp, LM Studio
    *[
        (
            name,
            400,
            vllm(
                str(
                    [
                        {
                            "type": "extra_forbidden",
                            "loc": ("body", name),
                            "msg": "Extra inputs are not permitted",
                            "input": 1,
                        }
                    ]
                )
            ),
        )
        for name in ("seed", "reasoning_effort", "stream_options", "n")
    ],
    ("logprobs", 400, vllm("Gaudi doesn't support logprobs. Please remove it from your request.")),
    (
        "system",
        422,
        {
            "detail": [
                {
                    "type": "literal_error",
                    "loc": ["body", "messages", 0, "role"],
                    "msg": "Input should be 'user' or 'assistant'",
                }
            ]
        },
    ),
    ("system", 400, vllm("System role not supported")),
    ("system", 400, vllm("Conversation roles must alternate user/assistant/user/assistant/...")),
    ("system", 400, vllm("Only user and assistant roles are supported!")),
    ("reasoning_effort", 400, openai('"llama3" does not support thinking')),
    ("n", 400, openai("Only one completion choice is allowed")),
    ("response_format", 400, openai("Cannot use custom grammar constraints with tools.")),
    ("tools", 400, openai("registry.ollama.ai/library/x does not support tools")),
    ("tools", 400, openai("tools param requires --jinja flag")),
    ("tools", 400, openai("Unsupported parameter: 'tools' is not supported.", "tools")),
    ("tools", 400, openai("deepseek-reasoner does not support Function Calling")),
    ("tools", 400, openai("`tool calling` is not supported with this model")),
    ("tools", 404, openai("No endpoints found that support tool use.")),
    ("tools", 422, {"detail": pydantic("tools")}),
    ("tools", 400, {"error": "This model doesn't support tool use, function_call is disabled"}),
    (
        "response_format",
        400,
        openai(
            'response_format type must be one of "text" or "json_object", but got: json_schema'
        ),
    ),
    ("tool_choice", 400, openai("tool_choice param requires --jinja flag")),
    (
        "system",
        500,
        {
            "error": {
                "code": 500,
                "type": "server_error",
                "message": "\n------------\n"
                "While executing CallExpression at line 1, column 70 in source:\n"
                "Error: Jinja Exception: System role not supported",
            }
        },
    ),
    (
        "system",
        400,
        {"error": 'Error rendering prompt with jinja template: "System role not supported".'},
    ),
    ("response_format", 400, {"error": "'response_format.type' must be 'json_schema' or 'text'"}),
    # Shapes of any framework
    ("seed", 400, {"seed": ["This field is not allowed."]}),
    ("top_p", 422, {"detail": pydantic("function-wrap[log()].top_p")}),
    ("temperature", 400, "temperature is not supported"),
]
# Nothing is named: settings are tried.
VAGUE: list[tuple[int, Any]] = [
    (400, "unknown field"),
    (400, openai("Extra inputs are not permitted")),
    (422, {"detail": "Unrecognized parameter in request"}),
    (400, openai("Invalid parameter")),
    (400, vllm("This parameter is not supported by the selected model.")),
    (404, {"error": {"message": "No endpoints found that can handle the requested parameters."}}),
]
# Errors of the user's: nothing is left out.
USERS: list[tuple[str, int, Any]] = [
    (
        "value",
        400,
        openai(
            "Invalid 'temperature': decimal above maximum value. Expected a value "
            "<= 2, but got 3 instead.",
            "temperature",
            "decimal_above_max_value",
        ),
    ),
    (
        "value",
        400,
        openai(
            "Invalid type for 'temperature': expected a decimal, but got a string instead.",
            "temperature",
            "invalid_type",
        ),
    ),
    (
        "value",
        400,
        openai(
            "Invalid 'stop': array too long. Expected an array with maximum length "
            "4, but got an array with length 5 instead.",
            "stop",
            "array_above_max_length",
        ),
    ),
    (
        "value",
        400,
        openai(
            "max_tokens is too large: 100000. This model supports at most 16384 "
            "completion tokens, whereas you provided 100000.",
            "max_tokens",
        ),
    ),
    (
        "value",
        400,
        openai(
            "max_tokens or max_completion_tokens is too large: 500000. This model "
            "supports at most 16384 completion tokens.",
            "max_tokens",
        ),
    ),
    (
        "value",
        400,
        openai(
            "Unsupported value: 'reasoning_effort' does not support 'minimal' with "
            "this model. Supported values are: 'low', 'medium', and 'high'.",
            "reasoning_effort",
            "unsupported_value",
        ),
    ),
    ("value", 400, openai("temperature: range: 0..1")),
    (
        "value",
        400,
        openai("max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens"),
    ),
    ("value", 400, openai("`stop`: each stop sequence must contain non-whitespace")),
    (
        "value",
        422,
        {
            "detail": pydantic(
                "temperature", "less_than_equal", "Input should be less than or equal to 1.5", 2.0
            )
        },
    ),
    ("value", 400, openai("Invalid temperature value, the valid range of temperature is [0, 2]")),
    (
        "value",
        422,
        openai("Input validation error: `temperature` must be strictly positive", "temperature"),
    ),
    ("value", 422, openai("Input validation error: `top_p` must be > 0.0 and < 1.0")),
    (
        "value",
        422,
        openai("Input validation error: `stop` supports up to 4 stop sequences. Given: 5"),
    ),
    ("value", 400, vllm("temperature must be non-negative, got -1.0.", "temperature")),
    ("value", 400, vllm("top_p must be in (0, 1], got 0.0.", "top_p")),
    ("value", 400, openai("`reasoning_effort` must be one of `none` or `default`")),
    ("value", 400, openai('["At body -> temperature: Input should be less than 2"]')),
    ("value", 400, openai('invalid reasoning value: "x" (must be "high", "medium", "low")')),
    (
        "model",
        404,
        openai(
            "The model 'gpt-9' does not exist or you do not have access to it.",
            None,
            "model_not_found",
        ),
    ),
    ("model", 404, openai('model "llama9" not found, try pulling it first')),
    (
        "model",
        400,
        {
            "error": {
                "code": "OperationNotSupported",
                "message": "The chatCompletion operation does not work with the specified model.",
            }
        },
    ),
    ("model", 400, openai("Model Not Exist")),
    (
        "model",
        404,
        {"error": {"message": "No endpoints found that support tool use", "code": 404}},
    ),
    ("model", 400, openai("This model is not supported by the selected plan.", "model")),
    (
        "image",
        400,
        openai(
            "You uploaded an unsupported image. Please make sure your image has of "
            "one the following formats: ['png', 'jpeg'].",
            None,
            "invalid_image_format",
        ),
    ),
    (
        "image",
        422,
        "Failed to deserialize the JSON body into the target type: messages[0]: "
        "unknown variant `image_url`, expected `text` at line 1 column 300",
    ),
    (
        "image",
        400,
        openai(
            "Invalid content type. image_url is only supported by certain models.",
            "messages.[1].content.[0].type",
        ),
    ),
    (
        "tools",
        400,
        openai(
            "Invalid schema for function 'set_temperature': In context="
            "('properties', 'temperature'), 'minimum' is not permitted.",
            "tools[0].function.parameters",
            "invalid_function_parameters",
        ),
    ),
    (
        "tools",
        400,
        vllm(
            "Invalid schema for function 'f': In context=('properties', 'seed'), "
            "'x' is not permitted."
        ),
    ),
    ("tools", 400, openai("registry.ollama.ai/library/x does not support tools")),
    (
        "tools",
        400,
        vllm(
            '"auto" tool choice requires --enable-auto-tool-choice and '
            "--tool-call-parser to be set"
        ),
    ),
    ("extra", 400, xai("Argument not supported on this model: presencePenalty")),
    ("extra", 400, openai("Unrecognized request argument supplied: top_k")),
    ("extra", 400, cerebras("presence_penalty")),
    ("extra", 400, openai("property 'top_k' is unsupported, did you mean 'top_p'?")),
    (
        "extra",
        400,
        openai(
            "Unsupported parameter: 'top_k'. Supported parameters: temperature, "
            "top_p, seed, stop, n"
        ),
    ),
    ("extra", 400, gemini("Penalty is not enabled for models/gemini-2.0-flash")),
    (
        "turns",
        400,
        openai(
            "This model does not support assistant message prefill. The "
            "conversation must end with a user message."
        ),
    ),
    ("turns", 400, openai("Last message must have role `user`.")),
    (
        "turns",
        400,
        openai(
            "After the (optional) system message(s), user or tool message(s) should "
            "alternate with assistant message(s)."
        ),
    ),
    (
        "turns",
        500,
        {
            "error": {
                "code": 500,
                "message": "Error: Jinja Exception: After the optional "
                "system message, conversation roles must alternate user and "
                "assistant roles.",
            }
        },
    ),
    # The prompt speaks of settings; it is quoted and no part of what the endpoint says.
    (
        "echo",
        422,
        {
            "detail": [
                {
                    "type": "string_type",
                    "loc": ["body", "messages", 0, "content"],
                    "msg": "Input should be a valid string",
                    "input": ["temperature and seed are not supported"],
                }
            ]
        },
    ),
    (
        "echo",
        400,
        openai("bad request")
        | {"request": {"messages": [{"content": "unsupported parameter: seed"}]}},
    ),
    ("nothing", 400, ""),
    ("nothing", 400, "<html><body>400 Bad Request</body></html>"),
]
OTHERS: list[tuple[type[LMError], int, Any]] = [
    (
        ContextWindowError,
        400,
        openai(
            "This model's maximum context length is 128000 tokens. "
            "However, your messages resulted in 150000 tokens.",
            "messages",
            "context_length_exceeded",
        ),
    ),
    (
        ContextWindowError,
        400,
        vllm(
            "'max_tokens' or 'max_completion_tokens' is too large: 5000. "
            "This model's maximum context length is 4096 tokens."
        ),
    ),
    (ContextWindowError, 400, openai("prompt is too long: 210000 tokens > 200000 maximum")),
    (
        ContextWindowError,
        400,
        openai("the request exceeds the available context size (4096 tokens), try increasing it"),
    ),
    (
        ContextWindowError,
        400,
        gemini(
            "The input token count (1200000) exceeds the maximum number "
            "of tokens allowed (1048576)."
        ),
    ),
    (
        ContextWindowError,
        422,
        {
            "error": "Input validation error: `inputs` tokens + "
            "`max_new_tokens` must be <= 4096. Given: 5000"
        },
    ),
    (ContextWindowError, 413, "Payload Too Large"),
    *(
        (ContextWindowError, status, openai(words))
        for status, words in [
            (400, "Input validation error: `inputs` must have less than 1024 tokens. Given: 1500"),
            (400, "Input tokens exceed the configured limit of 272000 tokens."),
            (400, "Total tokens (prompt + completion) exceed the model limit"),
            (400, "InvalidParameter: Range of input length should be [1, 1]"),
            (400, "Invalid 'messages[0].content': string too long."),
            (400, "The decoder prompt (length 50) is longer than the maximum model length of 40."),
            (400, "Invalid request: Your request exceeded model token limit: 8192"),
            (400, "Prompt exceeds max length"),
            (400, "the number of input tokens 5000 cannot exceed the total tokens limit 4096"),
            (400, "too large context"),
            (500, "the request exceeds the available context size"),
        ]
    ),
    (BadRequestError, 400, openai("max_tokens: 5000 > 4096, the maximum number of output tokens")),
    (BadRequestError, 400, openai("max_tokens exceeds the limit of this model")),
    *(
        (ContentFilterError, status, openai(words))
        for status, words in [
            (400, "Output blocked by content filtering policy"),
            (400, "data_inspection_failed: Input data may contain inappropriate content."),
            (400, "Content Exists Risk"),
            (400, "sensitive words detected"),
            (400, "Your request violates our usage policies"),
            (403, "Your input was flagged by moderation: violence"),
        ]
    ),
    (
        ContentFilterError,
        400,
        openai(
            "The response was filtered due to the prompt triggering "
            "Azure OpenAI's content management policy.",
            "prompt",
            "content_filter",
        ),
    ),
    (ContentFilterError, 403, {"error": {"code": 403, "message": "openai/x requires moderation"}}),
    (AuthError, 401, openai("Incorrect API key provided: sk-***.", None, "invalid_api_key")),
    (AuthError, 400, gemini("API key not valid. Please pass a valid API key.")),
    (AuthError, 400, xai("Incorrect API key provided: xa***. You can obtain one at the console.")),
    (AuthError, 400, openai("Your credit balance is too low to access the API.")),
    (AuthError, 402, openai("Insufficient Balance")),
    (AuthError, 403, openai("Country, region, or territory not supported")),
    (AuthError, 429, openai("You exceeded your current quota.", None, "insufficient_quota")),
    (
        TruncatedError,
        400,
        openai(
            "Could not finish the message because max_tokens or model output "
            "limit was reached. Please try again with higher max_tokens."
        ),
    ),
    (ServerError, 500, openai("model requires more system memory than is available")),
    (ServerError, 503, "System role not supported"),
    (BadRequestError, 501, openai("This server does not support logprobs")),
]


def error(status: int, body: Any) -> LMError:
    text = body if isinstance(body, str) else json.dumps(body)
    return error_of(status, {}, text, "test/model")


def asked(setting: str) -> Request:
    """Return a request that makes use of everything, and has its place for this setting."""
    limit = "max_completion_tokens" if setting == "max_completion_tokens" else "max_tokens"
    plain = WithoutTools(MESSAGES) if setting == "tools" else None
    return Request(
        **{name: getattr(EVERYTHING, name) for name in EVERYTHING.__slots__}
        | {"token_limit": limit, "tools": (ToolSpec("look"),), "without_tools": plain}
    )


@pytest.mark.parametrize(
    ("setting", "status", "body"),
    REFUSED,
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_setting_that_is_refused(setting: str, status: int, body: Any) -> None:
    refused = error(status, body)
    assert isinstance(refused, BadRequestError)
    refusal = refusal_in(refused, asked(setting), streamed=True)
    assert refusal is not None
    assert refusal.setting == setting


@pytest.mark.parametrize(("status", "body"), VAGUE)
def test_a_refusal_that_names_nothing(status: int, body: Any) -> None:
    refused = error(status, body)
    assert isinstance(refused, BadRequestError)
    refusal = refusal_in(refused, EVERYTHING)
    assert refusal is not None
    assert refusal.setting is None


@pytest.mark.parametrize(("about", "status", "body"), USERS)
def test_what_is_the_users_own_error(about: str, status: int, body: Any) -> None:
    refused = error(status, body)
    assert isinstance(refused, BadRequestError)
    assert refusal_in(refused, EVERYTHING, streamed=True) is None


@pytest.mark.parametrize(("kind", "status", "body"), OTHERS)
def test_errors_of_another_kind(kind: type[LMError], status: int, body: Any) -> None:
    assert type(error(status, body)) is kind


@pytest.mark.parametrize(("setting", "status", "body"), REFUSED[:40])
def test_what_a_request_does_not_hold_is_not_left_out(
    setting: str, status: int, body: Any
) -> None:
    refused = error(status, body)
    assert isinstance(refused, BadRequestError)
    bare = Request((Message("user", "hello"),), Sampling(extra={"top_k": 1}))
    refusal = refusal_in(refused, bare)
    assert refusal is None or refusal.setting is None


def test_a_schema_that_is_refused_for_what_it_holds_says_nothing_of_others() -> None:
    for message in (
        "Invalid schema for response_format 'outputs': In context=(), 'additionalProperties' is "
        "required to be supplied and to be false.",
        "Invalid schema for response_format 'outputs': In context=('properties', 'temperature'), "
        "'minimum' is not permitted.",
        "* GenerateContentRequest.generation_config.response_schema.properties[x].enum: only "
        "allowed for STRING type",
        'JSON schema conversion failed: Unrecognized schema: {"type":"date"}',
        "Unable to generate parser for this template. Automatic parser generation failed: JSON "
        "schema error at #: unrecognized type colour",
        "Failed to initialize samplers: failed to parse grammar",
    ):
        refused = error(400, openai(message, "response_format"))
        assert isinstance(refused, BadRequestError)
        refusal = refusal_in(refused, EVERYTHING)
        assert refusal is not None
        assert (refusal.setting, refusal.one_schema) == ("response_format", True)


def test_a_bound_that_a_budget_counts_on_is_renamed_and_not_left_out() -> None:
    capped = (Ledger(Budget(dollars=1.0)),)
    bare = Request(MESSAGES, ledgers=capped)  # the budget sends a bound of its own
    renamed = error(400, openai(PLAIN.format("max_tokens"), "max_tokens"))
    assert isinstance(renamed, BadRequestError)
    refusal = refusal_in(renamed, bare)
    assert refusal is not None
    assert refusal.setting == "max_tokens"
    both = error(400, openai(PLAIN.format("max_completion_tokens"), "max_completion_tokens"))
    assert isinstance(both, BadRequestError)
    under = Request(MESSAGES, ledgers=capped, token_limit="max_completion_tokens")
    assert refusal_in(both, under) is None


def test_a_setting_that_the_library_added_is_a_guess_even_where_its_value_is_refused() -> None:
    refused = error(400, openai("temperature: range: 1..1"))
    assert isinstance(refused, BadRequestError)
    added = Request(MESSAGES, Sampling(temperature=0.7), optional=frozenset({"temperature"}))
    refusal = refusal_in(refused, added)
    assert refusal is not None
    assert (refusal.setting, refusal.sure) == ("temperature", False)


def test_what_people_read_names_the_place_and_the_gateways_own_news() -> None:
    assert read_error(json.dumps({"detail": pydantic("seed")})).line.startswith("body.seed: Extra")
    line = read_error(json.dumps(gateway(xai("Argument not supported on this model: stop")))).line
    assert "Provider returned error" in line
    assert "stop" in line


def test_a_key_that_an_endpoint_repeats_is_in_no_message_and_hides_no_setting() -> None:
    body = json.dumps(openai("Unsupported parameter: 'temperature' for key temp"))
    refused = error_of(400, {}, body, "m", secrets=("temp",))
    assert isinstance(refused, BadRequestError)
    assert "temp" not in str(refused)
    refusal = refusal_in(refused, EVERYTHING)
    assert refusal is not None
    assert refusal.setting == "temperature"


def test_every_setting_is_refused_in_some_body_of_these() -> None:
    assert {setting for setting, _, _ in REFUSED} == set(NAMED) - {"max_completion_tokens"}
