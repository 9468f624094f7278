"""``twistdp completion``: print the script by which a shell completes the command."""

from typing import Final

import click
from click.shell_completion import (
    BashComplete,
    add_completion_class,
    get_completion_class,
    shell_complete,
)

SHELLS: Final = ("bash", "zsh", "fish")
VARIABLE: Final = "_TWISTDP_COMPLETE"


@click.command(epilog='To try it in this bash: eval "$(twistdp completion bash)"')
@click.argument("shell", type=click.Choice(SHELLS), help="The shell.")
@click.pass_context
def command(context: click.Context, shell: str) -> int:
    """Print the script by which a shell completes commands, options, files and entries."""
    script = get_completion_class(shell)
    assert script is not None
    print(script(context.find_root().command, {}, "twistdp", VARIABLE).source(), end="")
    return 0


def answer(group: click.Group, instruction: str) -> int:
    """Print the completions that a script asks for, and return the exit status."""
    return shell_complete(group, {}, "twistdp", VARIABLE, instruction)


@add_completion_class
class _Bash(BashComplete):
    """Bash, which makes three words of ``--option=value``."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the incomplete one, and that."""
        words, incomplete = super().get_completion_args()
        return [word for word in words if word != "="], incomplete
