"""The architecture: a room imports only from rooms below it."""

import ast
from pathlib import Path

import trio_llm

ROOT = Path(trio_llm.__file__).parent
FLOORS = {
    "_version": 0,
    "_face": 0,
    "blocking": 0,
    "disk": 0,
    "chat": 0,
    "errors": 1,
    "events": 1,
    "actors": 2,
    "policy": 2,
    "wire": 2,
    "store": 3,
    "transport": 3,
    "ledger": 4,
    "providers": 5,
    "balancing": 6,
    "config": 7,
    "cache": 8,
    "telemetry": 8,
    "logs": 8,
    "endpoint": 9,
    "streaming": 9,
    "prompt": 9,
    "switchboard": 9,
    "operations": 9,
    "lifecycle": 9,
    "assembly": 9,
    "retirement": 9,
    "degradation": 9,
    "history": 9,
    "generations": 9,
    "bookkeeping": 9,
    "runtime": 9,
    "testing": 10,
    "cli": 11,
    "__init__": 11,
    "__main__": 12,
}
INSIDE_THE_TOP = {
    "endpoint",
    "streaming",
    "prompt",
    "switchboard",
    "operations",
    "telemetry",
    "lifecycle",
    "assembly",
    "retirement",
    "degradation",
    "history",
    "generations",
    "bookkeeping",
    "runtime",
}


def _imported(tree: ast.AST) -> list[str]:
    """Give the rooms that a module imports from."""
    rooms: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "trio_llm":
            rooms += [a.name if a.name in FLOORS else "__init__" for a in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("trio_llm."):
            rooms.append((node.module or "").split(".")[1])
    return rooms


def test_no_room_reaches_upwards() -> None:
    """Every import leads to a lower floor, or stays in the room."""
    upwards: list[str] = []
    for path in sorted(ROOT.rglob("*.py")):
        place = path.relative_to(ROOT)
        room = place.parts[0].removesuffix(".py")
        for other in _imported(ast.parse(path.read_text(encoding="utf-8"))):
            same = other == room or {other, room} <= INSIDE_THE_TOP
            if not same and FLOORS[other] >= FLOORS[room]:
                upwards.append(f"{place} imports {other}")
    assert upwards == []


def test_only_the_transport_room_imports_the_http_library() -> None:
    """So that another one can take its place."""
    outside: list[str] = []
    for path in sorted(ROOT.rglob("*.py")):
        place = path.relative_to(ROOT)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            if {"httpx", "httpx2", "httpcore", "httpcore2"} & {n.split(".")[0] for n in names}:
                outside.append(str(place))
    assert all(place.startswith("transport") for place in outside), outside
