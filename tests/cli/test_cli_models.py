"""``trio-llm models``: what there is, and the models of a local server."""

import json
from collections.abc import Generator
from decimal import Decimal
from pathlib import Path

import attrs
import pytest

from tests.cli.cli_runs import Cli, at_a_terminal, read_rest
from tests.cli.ollama_server import ollama_server
from trio_llm.chat import ModelInfo, Price
from trio_llm.cli.models.facts import model_table


@pytest.fixture
def den(tmp_path: Path) -> Generator[str, None, None]:
    """Write a configuration with a local server that runs, and a simulated provider."""
    with ollama_server() as address:
        path = tmp_path / "den.toml"
        path.write_text(
            f'[providers.den]\nkind = "ollama"\nbase_url = "{address}"\n'
            '[providers.sim]\nkind = "simulated"\n'
        )
        yield str(path)


def test_the_models_of_every_provider(cli: Cli, den: str) -> None:
    """The table has the provider, the model and what is known of it."""
    said = cli("models", "list", "-c", den)
    assert said.code == 0, said.err
    assert "llama3.2:latest" in said.out
    assert "simulated" in said.out


def test_the_models_of_one_provider_as_json(cli: Cli, den: str) -> None:
    """With a name only that provider is asked; --json has every field."""
    said = cli("models", "list", "den", "-c", den, "--json")
    found = json.loads(said.out)
    assert found["errors"] == {}
    (model,) = found["models"]
    assert (model["id"], model["provider"]) == ("llama3.2:latest", "den")
    assert model["size"] == 2_019_393_189
    assert (model["price"]["input"], model["price"]["source"]) == ("0", "kind")


def test_models_that_can_do_something(cli: Cli, den: str) -> None:
    """With --capability only models are shown that are known to have it."""
    said = cli("models", "list", "den", "-c", den, "--capability", "moderation", "--json")
    assert said.code == 0
    assert json.loads(said.out)["models"] == []


PRICED = """
[providers.dear]
kind = "simulated"
price = { input = 3, output = 15 }
[providers.fair]
kind = "simulated"
price = { input = 1, output = 2 }
[providers.own]
kind = "simulated"
[providers.unknown]
kind = "custom"
class = "tests.cli.telling_provider:Teller"
"""


@pytest.fixture
def priced(tmp_path: Path) -> str:
    """Write two providers with prices, one on one's own machine, and one without a price."""
    path = tmp_path / "priced.toml"
    path.write_text(PRICED)
    return str(path)


def _listed(said: str) -> list[str]:
    return [model["provider"] for model in json.loads(said)["models"]]


def test_models_that_cost_nothing(cli: Cli, priced: str) -> None:
    """With --free only models are shown of which that is known."""
    said = cli("models", "list", "-c", priced, "--free", "--json")
    assert said.code == 0
    assert _listed(said.out) == ["own"]
    assert "$0.00" in cli("models", "list", "-c", priced, "--free").out


def test_the_cheapest_model(cli: Cli, priced: str, tmp_path: Path) -> None:
    """It is the one that costs least of those that fit; without a price it comes last."""
    assert _listed(cli("models", "list", "-c", priced, "--cheapest", "--json").out) == ["own"]
    paid = tmp_path / "paid.toml"
    paid.write_text(PRICED.replace('[providers.own]\nkind = "simulated"\n', ""))
    assert _listed(cli("models", "list", "-c", str(paid), "--cheapest", "--json").out) == ["fair"]
    said = cli("models", "list", "-c", str(paid), "--cheapest", "--capability", "chat", "--json")
    assert _listed(said.out) == ["fair"]


def test_none_that_fits_is_said(cli: Cli, priced: str) -> None:
    """An empty list says so, and of how many nothing is known."""
    said = cli("models", "list", "-c", priced, "--capability", "video_generation")
    assert said.code == 0
    assert said.out == ""
    assert said.err == (
        "note: none of 4 models is known to fit; of 1 nothing says what they can do\n"
    )


def test_wrong_capability_gives_the_known_ones(cli: Cli, priced: str) -> None:
    """The nearest word is suggested, and all are listed, before anybody is asked."""
    said = cli("models", "list", "-c", priced, "--capability", "visoin")
    assert said.code == 2
    assert said.err.splitlines()[0] == (
        'error: --capability: no capability "visoin"; did you mean "vision"?'
    )
    assert said.err.splitlines()[1].startswith("hint: the capabilities are text_generation, chat,")


def test_a_provider_that_fails_hides_no_other(cli: Cli, den: str) -> None:
    """Its error is said; the lists of the others are shown, and the exit code is 1."""
    path = Path(den)
    path.write_text(
        path.read_text() + '[providers.gone]\nkind = "ollama"\nbase_url = "http://127.0.0.1:9"\n'
    )
    said = cli("models", "list", "-c", den)
    assert said.code == 1
    assert "llama3.2:latest" in said.out
    assert "gone" in said.err


def test_pull_show_and_remove(cli: Cli, den: str) -> None:
    """A model is fetched, shown with its context window and abilities, and deleted."""
    pulled = cli("models", "pull", "qwen3:4b", "-c", den)
    assert pulled.code == 0, pulled.err
    assert "pulling manifest" in pulled.err
    assert pulled.err.splitlines()[-1] == "✓ qwen3:4b is at den"
    shown = cli("models", "show", "qwen3:4b", "-c", den)
    assert "131072" in shown.out
    assert "tools" in shown.out
    removed = cli("models", "rm", "qwen3:4b", "-c", den)
    assert removed.code == 0
    assert removed.err.splitlines()[-1] == "✓ qwen3:4b is gone from den"
    again = cli("models", "rm", "qwen3:4b", "-c", den)
    assert again.code == 1
    assert "not found" in again.err


def test_a_pull_that_fails(cli: Cli, den: str) -> None:
    """An error inside the stream of a pull is said in the server's words."""
    said = cli("models", "pull", "nothing", "-c", den)
    assert said.code == 1
    assert "file does not exist" in said.err
    assert "" not in said.err.splitlines()


def test_what_a_provider_never_does_is_no_matter_of_waiting(cli: Cli) -> None:
    """The remedy is another provider, and not another time."""
    said = cli("models", "pull", "x", "--via", "sim-1")
    assert said.code == 1
    assert "it does not offer pulling of models" in said.err
    assert "hint: it never does that; ask a provider that does, with --via" in said.err


@pytest.mark.parametrize("command", ["show", "pull", "rm"])
def test_models_are_managed_at_one_provider(cli: Cli, command: str) -> None:
    """A balancer is refused in words of the command line, with those it could be."""
    said = cli("models", command, "x", "--via", "default")
    assert said.code == 2
    assert said.err == (
        'error: --via: "default" is several providers (sim-1, sim-2, sim-3); name one of them\n'
    )


def test_what_nothing_is_known_of_takes_no_column() -> None:
    """A column is there if it holds anything; the prices bring their caption."""
    bare = ModelInfo(id="m", provider="p")
    plain = model_table([bare])
    assert [column.header for column in plain.columns] == ["provider", "model"]
    assert plain.caption is None
    priced = attrs.evolve(bare, price=Price(Decimal(1), Decimal(2)), context_window=1000)
    full = model_table([bare, priced])
    assert [column.header for column in full.columns] == [
        "provider",
        "model",
        "context",
        "input",
        "output",
    ]
    assert full.caption is not None


def test_a_bar_for_each_layer(den: str, environment: dict[str, str]) -> None:
    """At a terminal each layer of a pull has a bar with its bytes."""
    command, terminal = at_a_terminal(
        ["models", "pull", "qwen3:4b", "-c", den], environment | {"COLUMNS": "100"}
    )
    seen = read_rest(terminal).decode()
    assert command.wait(20) == 0
    assert "0123456789ab" in seen
    assert "400/400 bytes" in seen


def test_which_server_must_be_clear(cli: Cli, tmp_path: Path, den: str) -> None:
    """Without a local server, or with two, the remedy is said and nothing is asked."""
    none = tmp_path / "none.toml"
    none.write_text('[providers.sim]\nkind = "simulated"\n')
    said = cli("models", "pull", "x", "-c", str(none))
    assert said.code == 2
    assert "no provider of the kind ollama" in said.err
    two = Path(den)
    two.write_text(two.read_text() + '[providers.lair]\nkind = "ollama"\n')
    said = cli("models", "pull", "x", "-c", den)
    assert said.code == 2
    assert "name one with --via" in said.err
