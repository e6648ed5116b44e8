"""What the tests with real servers share: a model, and servers that live or may die."""

import importlib.util
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.real.real_server import Server, started


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the model; without the extra `real` every test that needs it is skipped."""
    pytest.importorskip("gguf", reason="the extra `real` is not installed: no gguf")
    # Its 100 MB are loaded in the servers only.
    if importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("the extra `real` is not installed: no xllamacpp")
    from tests.real.real_model import write_model  # noqa: PLC0415 - needs gguf

    path = tmp_path_factory.mktemp("model") / "syllables.gguf"
    write_model(path)
    return path


@pytest.fixture(scope="session")
def servers(
    model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Generator[list[Server], None, None]:
    """Start two servers that all tests share; none may harm them."""
    with started(model, tmp_path_factory.mktemp("servers"), ("first", "second")) as both:
        yield both


@pytest.fixture(scope="session")
def embedder(
    model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Server, None, None]:
    """Start a server that turns texts into vectors."""
    logs = tmp_path_factory.mktemp("embedder")
    with started(model, logs, ("embedder",), "embeddings") as (server,):
        yield server


@pytest.fixture
def mortals(model: Path, tmp_path: Path) -> Generator[list[Server], None, None]:
    """Start two servers that a test may kill."""
    with started(model, tmp_path, ("first", "second")) as both:
        yield both


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
