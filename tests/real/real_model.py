"""A model of random weights, small enough to be written and loaded in a blink.

What it says is nonsense, but its form is under control: it writes syllables, one
token each, and never comes to an end by itself, so an answer is as long as it is
allowed to be. At temperature 0 it always says the same.

Offered tools, it begins with the mark of a call, and the server's grammar holds it to
the form of one; told a result, it speaks again.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from gguf import GGUFWriter, LlamaFileType, TokenType

from tests.real.real_server import CONTEXT  # isort: skip

WIDTH = 64
LAYERS = 2
HEADS = 4
INNER = 128
SPECIAL = ("<unk>", "<s>", "</s>")
BYTES = tuple(f"<0x{number:02X}>" for number in range(256))
SYLLABLES = tuple(f"{head}{tail}" for head in "bdfgklmnprst" for tail in "aeiou")
SPOKEN = tuple(f"\N{LOWER ONE EIGHTH BLOCK}{syllable}" for syllable in SYLLABLES)
READ = (*SYLLABLES, *"abcdefghijklmnopqrstuvwxyz", "\N{LOWER ONE EIGHTH BLOCK}")
CALL = "<tool_call>"
VOCABULARY = (*SPECIAL, *BYTES, *SPOKEN, *READ, CALL)
WISH = BYTES.index("<0x3F>") + len(SPECIAL)
"""The token, a question mark, after which the model writes `CALL`."""

# The form of a call is that of the Hermes models, which the server recognises, but
# without line breaks: those would be part of the mark, which is one token here.
TEMPLATE = """\
{%- if tools %}system: <tools>
{%- for tool in tools %}
{{- tool | tojson }}
{%- endfor %}</tools>{{ "\\n" }}{%- endif %}
{%- for message in messages %}
{{- message.role }}: {{ message.content or "" }}
{%- for call in message.tool_calls or [] %}
{{- '<tool_call>{"name": "' + call.function.name + '", "arguments": ' }}
{{- call.function.arguments | tojson }}
{{- "}</tool_call>" }}
{%- endfor %}
{{- "\\n" }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- "assistant?" if tools and messages[-1].role != "tool" else "assistant:" }}
{%- endif %}"""

Weights = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def _draw(rng: np.random.Generator, *shape: int, spread: float) -> Weights:
    return (rng.standard_normal(shape) * spread).astype(np.float32)


def _without_wish(weights: Weights) -> Weights:
    weights[-1] = 0
    return weights


def _tensors() -> Iterator[tuple[str, Weights]]:
    rng = np.random.default_rng(1)
    ones = np.ones(WIDTH, dtype=np.float32)
    # The last dimension holds the wish to call; no layer writes it.
    embedding = _draw(rng, len(VOCABULARY), WIDTH, spread=1.0)
    embedding[:, -1] = 0
    embedding[WISH, -1] = WIDTH
    yield "token_embd.weight", embedding
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        yield f"{block}.attn_norm.weight", ones
        yield f"{block}.ffn_norm.weight", ones
        for name in ("attn_q", "attn_k", "attn_v"):
            yield f"{block}.{name}.weight", _draw(rng, WIDTH, WIDTH, spread=0.2)
        yield f"{block}.attn_output.weight", _without_wish(_draw(rng, WIDTH, WIDTH, spread=0.2))
        yield f"{block}.ffn_gate.weight", _draw(rng, INNER, WIDTH, spread=0.2)
        yield f"{block}.ffn_up.weight", _draw(rng, INNER, WIDTH, spread=0.2)
        yield f"{block}.ffn_down.weight", _without_wish(_draw(rng, WIDTH, INNER, spread=0.2))
    yield "output_norm.weight", ones
    # The logits of all else, the end of the text included, are 0: never the largest.
    output = np.zeros((len(VOCABULARY), WIDTH), dtype=np.float32)
    first = VOCABULARY.index(SPOKEN[0])
    output[first : first + len(SPOKEN)] = _draw(rng, len(SPOKEN), WIDTH, spread=0.5)
    output[VOCABULARY.index(CALL), -1] = WIDTH
    yield "output.weight", output


def write_model(path: Path) -> None:
    """Write the model as a GGUF file; always the same bytes."""
    writer = GGUFWriter(path, "llama")
    writer.add_name("syllables")
    writer.add_file_type(LlamaFileType.ALL_F32)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(VOCABULARY))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(VOCABULARY)
    words = len(VOCABULARY) - len(SPECIAL) - len(BYTES)  # with the mark of a call
    writer.add_token_scores([0.0] * (len(SPECIAL) + len(BYTES)) + [-float(n) for n in range(words)])
    writer.add_token_types(
        [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL]
        + [TokenType.BYTE] * len(BYTES)
        + [TokenType.NORMAL] * (words - 1)
        + [TokenType.USER_DEFINED]
    )
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(TEMPLATE)
    for name, weights in _tensors():
        writer.add_tensor(name, weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
