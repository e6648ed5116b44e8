"""Replies and errors, as the server's side writes them."""

from trio_llm.chat import Completion
from trio_llm.wire.cloudflare.names import DIALECT
from trio_llm.wire.openai_chat.serve import encode_reply
from trio_llm.wire.values import load, write_body

_UNKNOWN_CODE = 5000


def encode_run(completion: Completion) -> bytes:
    """Write a whole reply, in the form of the newer models."""
    reply = load(encode_reply(completion, DIALECT).decode("utf-8"))
    return write_body({"result": reply, "success": True, "errors": [], "messages": []})


def encode_error(message: str, code: str | None) -> bytes:
    """Write an error body; codes are numbers here."""
    number = int(code) if code is not None and code.isdecimal() else _UNKNOWN_CODE
    errors = [{"code": number, "message": message}]
    return write_body({"result": None, "success": False, "errors": errors, "messages": []})
