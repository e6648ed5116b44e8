"""A small server with the model management of Ollama, on a thread and a real socket."""

import json
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_LAYER = "sha256:0123456789abcdef0123"


class _Handler(BaseHTTPRequestHandler):
    """Holds its models in the server."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base has it
        """Say nothing."""

    @property
    def _models(self) -> list[str]:
        assert isinstance(self.server, _Server)
        return self.server.models

    def _answer(self, *values: Mapping[str, Any], status: int = 200) -> None:
        body = b"".join(json.dumps(value).encode() + b"\n" for value in values)
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _asked(self) -> str:
        length = int(self.headers.get("content-length", "0"))
        name: str = json.loads(self.rfile.read(length) or b"{}").get("model", "")
        return name

    def _missing(self, name: str) -> None:
        self._answer({"error": f"model '{name}' not found"}, status=404)

    def do_GET(self) -> None:
        """List the models."""
        details = {"family": "llama", "parameter_size": "3.2B"}
        models = [
            {"name": name, "model": name, "size": 2_019_393_189, "details": details}
            for name in self._models
        ]
        self._answer({"models": models})

    def do_POST(self) -> None:
        """Show or pull a model."""
        name = self._asked()
        if self.path == "/api/show":
            if name not in self._models:
                self._missing(name)
                return
            self._answer(
                {
                    "details": {"family": "llama", "parameter_size": "3.2B"},
                    "model_info": {
                        "general.architecture": "llama",
                        "llama.context_length": 131072,
                    },
                    "capabilities": ["completion", "tools"],
                }
            )
            return
        if name == "nothing":
            self._answer({"status": "pulling manifest"}, {"error": "file does not exist"})
            return
        self._models.append(name)
        steps = [{"digest": _LAYER, "total": 400, "completed": done} for done in (100, 250, 400)]
        self._answer(
            {"status": "pulling manifest"},
            *[{"status": "pulling 0123", **step} for step in steps],
            {"status": "success"},
        )

    def do_DELETE(self) -> None:
        """Delete a model."""
        name = self._asked()
        if name not in self._models:
            self._missing(name)
            return
        self._models.remove(name)
        self._answer()


class _Server(ThreadingHTTPServer):
    """The server and its models."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.models = ["llama3.2:latest"]


@contextmanager
def ollama_server() -> Generator[str, None, None]:
    """Serve on a free port; give the address."""
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
