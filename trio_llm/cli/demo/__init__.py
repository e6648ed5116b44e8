"""``trio-llm demo``: strategies and safeguards at work, to be looked at.

The servers run on this machine, but they are servers: they speak the real wire
formats over real sockets. Every figure shown was measured.
"""

from typing import Annotated

import trio
import typer

from trio_llm.cli.exits import ExitCode, finish
from trio_llm.cli.options import debug_of, examples
from trio_llm.cli.terminal import Terminal

EPILOG = examples("trio-llm demo", "trio-llm demo --fast")

_FAST = 0.1
"""What ``--fast`` makes of each second."""


def demo(
    context: typer.Context,
    fast: Annotated[bool, typer.Option("--fast", help="Play it ten times as fast.")] = False,
) -> None:
    """Show the runtime at work for ten seconds, against servers on this machine.

    Neither a key nor a network is needed.
    """
    # The servers are a fifth of what the command line loads, and only this needs them.
    from trio_llm.cli.demo.scenes import SCENES  # noqa: PLC0415
    from trio_llm.cli.demo.servers import open_servers  # noqa: PLC0415
    from trio_llm.cli.demo.stage import Stage  # noqa: PLC0415

    terminal = Terminal()

    async def command() -> ExitCode:
        stage = Stage(terminal, _FAST if fast else 1.0)
        started = trio.current_time()
        async with open_servers() as servers:
            stage.say(servers.introduction())
            for number, scene in enumerate(SCENES, start=1):
                stage.open_scene(f"{number}. {scene.title}", scene.caption)
                await scene.play(stage, servers)
            stage.say(await servers.farewell(trio.current_time() - started))
        return ExitCode.OK

    finish(command, terminal, debug=debug_of(context))
