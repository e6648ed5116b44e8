"""In what one provider differs from its dialect, as data.

An entry of the catalogue carries one of these; a dialect reads those that concern it.
"""

from typing import Final, Literal

import attrs


@attrs.frozen(kw_only=True)
class Quirks:
    """The differences of one provider; the defaults are none.

    Attributes:
        version: The version of the interface: the header ``anthropic-version`` of
            Anthropic, the query ``api-version`` of Azure; ``None`` means the
            dialect's own.
        key_header: The header that carries the bare key, in place of the dialect's.
        max_tokens_field: The name of the limit on output tokens; ``None`` leaves
            the choice to the dialect.
        seed_field: The name of the seed; ``None`` where there is none.
        required_choice: The word for a tool choice that demands some call.
        reasoning: How effort is told: ``effort`` (``reasoning_effort``), ``object``
            (``reasoning: {effort}``), or ``none``.
        stream_options: Whether usage in a stream is asked for.
        unsupported: Fields of the body that the provider refuses and that change
            nothing in the answer, so that they are left out (``user``, ``metadata``).
        call_id_length: The exact length of a tool call's identifier, letters and
            digits only; ``None`` means any.
        plain_content: Whether content must be a string and not a list of parts.
        output: How an answer of a given shape is asked for: ``native`` JSON schema,
            a forced ``tool``, or in words (``prompt``).
        output_excludes_tools: A pattern of the models that take no native schema beside
            tools, so that they are asked in words; ``None`` means that all take both.
        output_closed: Whether a native schema must be closed (no open objects, no
            bounds, no recursion), so that any other is asked for by a forced tool.
        dimensions_field: The name of the length of vectors in a request to embed;
            ``None`` where it cannot be chosen.
        encoding: In which form vectors are asked for; ``None`` leaves it to the
            provider. ``base64_int8`` is read as bytes, the others by what comes.
        purposes: Words for what vectors are for, as pairs of ours and the
            provider's; the first is said when the caller says nothing.
        replays: Fields of its own replies that the provider takes back in a
            conversation; others would be refused.
        reply_after_results: Whether a user's message may not follow a tool's result,
            so that a short reply is put between them.
        pairs_calls: Whether a tool call without its result, or a result without its
            call, is refused here since the provider refuses it; elsewhere it is sent.
        lists_only: Whether one model has no address of its own, so that it is
            looked for in the list.
        bare_cost: Whether a number ``cost`` beside the tokens of an embedding is what was
            charged, in US dollars; elsewhere its unit is not known.
    """

    version: str | None = None
    key_header: str | None = None
    max_tokens_field: str | None = None
    seed_field: str | None = "seed"
    required_choice: str = "required"
    reasoning: Literal["effort", "object", "none"] = "effort"
    stream_options: bool = True
    unsupported: frozenset[str] = frozenset()
    call_id_length: int | None = None
    plain_content: bool = False
    output: Literal["native", "tool", "prompt"] = "native"
    output_excludes_tools: str | None = None
    output_closed: bool = False
    dimensions_field: str | None = "dimensions"
    encoding: Literal["float", "base64", "base64_int8"] | None = None
    purposes: tuple[tuple[str, str], ...] = ()
    replays: frozenset[str] = frozenset({"reasoning_details", "extra_content", "reasoning_content"})
    reply_after_results: bool = False
    pairs_calls: bool = False
    lists_only: bool = False
    bare_cost: bool = False


PLAIN: Final = Quirks()
"""No difference."""
