"""What a caller or a user's own code gives a provider wrongly: a typed error, and no secret."""

import traceback

import pytest

from trio_llm import (
    AuthenticationError,
    Config,
    ConnectionFailedError,
    Fallback,
    InvalidRequestError,
    Provider,
    ProviderUnavailableError,
    open_runtime,
)
from trio_llm.chat import ListModels
from trio_llm.config.schema import KeySource
from trio_llm.testing.upstream import MemoryUpstream

KEY = "sk-0123456789-from-the-vault"


def _provider(upstream: MemoryUpstream, key: KeySource) -> Provider:
    return Provider(
        "openai_compatible",
        "house",
        base_url=upstream.base_url("openai_chat"),
        model="m",
        api_key=key,
    )


async def test_what_a_callable_for_the_key_raises_is_kept_to_itself() -> None:
    """The error names the class alone, in no cause or traceback the words with the key."""

    async def source() -> str:
        msg = f"the vault refused {KEY}"
        raise LookupError(msg)

    upstream = MemoryUpstream()
    async with open_runtime(Config(default=_provider(upstream, source)), transport=upstream) as llm:
        with pytest.raises(AuthenticationError, match="api_key raised LookupError") as caught:
            await llm.generate("hello")
    assert "0123456789" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None
    assert caught.value.phase == "request"
    assert upstream.served == []


async def test_a_provider_error_of_a_callable_for_the_key_is_passed_on() -> None:
    """Its author has chosen its class and its words."""

    async def source() -> str:
        raise ConnectionFailedError("the vault is away")

    upstream = MemoryUpstream()
    async with open_runtime(Config(default=_provider(upstream, source)), transport=upstream) as llm:
        with pytest.raises(ConnectionFailedError, match="the vault is away"):
            await llm.generate("hello")


async def test_extra_fields_for_an_unknown_dialect_are_refused() -> None:
    """They would be dropped in silence; the error names the nearest dialect, or all of them."""
    async with open_runtime(Config(default=Provider("simulated"))) as llm:
        with pytest.raises(InvalidRequestError, match='"openai_cat"; did you mean "openai_chat"'):
            await llm.generate("hello", extra={"openai_cat": {"top_k": 1}})
        with pytest.raises(InvalidRequestError, match=r"known are .*anthropic"):
            async with llm.stream("hello", extra={"zzz": {}}):
                pass
        with pytest.raises(InvalidRequestError, match="did you mean"):
            await llm.perform(ListModels(extra={"olama": {}}))
        assert llm.statistics().calls.requests == 0


async def test_extra_fields_for_another_dialect_are_not_this_providers() -> None:
    """A known dialect may be named for a member that another call falls on."""
    async with open_runtime(Config(default=Provider("simulated"))) as llm:
        reply = await llm.generate("hello", extra={"ollama": {"keep_alive": 0}})
    assert reply.text


async def test_a_provider_that_takes_fewer_stop_strings_is_passed_by() -> None:
    """A request with more of them than are documented goes to the next member unasked."""
    upstream = MemoryUpstream()

    def provider(kind: str) -> Provider:
        url = upstream.base_url("openai_chat")
        return Provider(kind, kind, base_url=url, model=kind, api_key=KEY)

    tree = Fallback((provider("openai"), provider("openai_compatible")), name="tree")
    async with open_runtime(Config(default=tree), transport=upstream) as llm:
        assert (await llm.generate("hello", stop="abcd")).provider == "openai"
        assert (await llm.generate("hello", stop=list("abcd"))).provider == "openai"
        assert (await llm.generate("hello", stop=list("abcde"))).provider == "openai_compatible"
        with pytest.raises(ProviderUnavailableError, match="at most 4 stop strings"):
            await llm.provider("openai").generate("hello", stop=list("abcde"))
