"""A key is shown nowhere."""

import copy
import pickle
import traceback

import pytest

from trio_llm.config import Config, Fallback, Provider, Secret, check, load_config
from trio_llm.errors import ConfigError

KEY = "sk-very-secret-0123456789"


def test_secret_is_masked() -> None:
    """Neither repr nor str nor a format shows the key; reveal gives it."""
    secret = Secret(KEY)
    assert KEY not in repr(secret) + str(secret) + f"{secret}" + "%s" % secret  # noqa: UP031
    assert KEY not in repr([secret]) + repr({"key": secret})
    assert secret.reveal() == KEY


def test_secret_equality_and_hash() -> None:
    """Secrets compare by their key, and with nothing else."""
    assert Secret(KEY) == Secret(KEY)
    assert Secret(KEY) != Secret("other")
    assert Secret(KEY) != KEY
    assert len({Secret(KEY), Secret(KEY)}) == 1
    assert Secret(KEY)
    assert not Secret("")


def test_secret_stays_in_the_process() -> None:
    """A secret can be neither pickled nor copied by way of it."""
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(Secret(KEY))
    with pytest.raises(TypeError, match="cannot be pickled"):
        copy.deepcopy(Secret(KEY))


def test_records_show_no_key() -> None:
    """The repr of a provider, a configuration and a plan hides keys, headers and passwords."""
    provider = Provider(
        "openai",
        api_key=KEY,
        headers={"x-auth": KEY},
        proxy=f"http://me:{KEY}@proxy:3128",
    )
    config = Config({"p": provider}, default=Fallback(["p"]))
    shown = repr(config) + str(config) + repr(check(config, {}))
    assert KEY not in shown
    assert "x-auth" in shown


def test_key_from_the_environment_is_not_shown() -> None:
    """The plan holds the key of the variable, and shows it nowhere."""
    plan = check(Config({"p": Provider("openai")}), {"OPENAI_API_KEY": f" {KEY}\n"})
    key = plan.providers["p"].key
    assert isinstance(key, Secret)
    assert key.reveal() == KEY
    assert KEY not in repr(plan)


@pytest.mark.parametrize(
    "settings",
    [
        {"api_key": f"{KEY} \n"},
        {"api_key_env": KEY},
        {"api_key_env": KEY.replace("-", "_")},
        {"api_key_env": "SK0123456789VERYSECRET"},
        {"api_key": KEY, "api_key_env": "SOME_KEY"},
        {"headers": {"x-auth": f"{KEY}\n"}},
        {"headers": {"x-auth": [KEY]}},
        {"proxy": f"socks9://me:{KEY}@proxy"},
        {"base_url": f"https://me:{KEY}@host/v1"},
        {"base_url": f"https://host/v1?key={KEY}"},
        {"apikey": KEY},
        {"options": {"token": KEY}},
        {"api_key": [KEY]},
        {"timeouts": KEY},
        {"mailbox": KEY},
    ],
)
def test_faults_show_no_key(settings: dict[str, object]) -> None:
    """A fault at a place where a key may stand does not repeat what stood there."""
    with pytest.raises(ConfigError) as caught:
        load_config({"providers": {"p": {"kind": "openai", **settings}}}, {})
    written = "".join(traceback.format_exception(caught.value))
    for secret in (KEY, KEY.replace("-", "_"), "SK0123456789VERYSECRET"):
        assert secret not in written
        assert secret not in repr(caught.value)


def test_provider_hides_a_key_in_the_place_of_its_variable() -> None:
    """A key that was put into api_key_env by mistake is not shown by the repr either."""
    assert KEY not in repr(Provider("openai", api_key_env=KEY))
    assert "HOUSE_API_KEY" in repr(Provider("openai", api_key_env="HOUSE_API_KEY"))
