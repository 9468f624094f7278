"""Makes checks of all kinds; may take as long as the check's time limit."""

from twistdp.health.files import of_attribute, of_file, of_path
from twistdp.health.network import of_http, of_tcp
from twistdp.health.program import Run, of_command
from twistdp.health.values import Attribute, Check, Command, File, Http, Present, Tcp
from twistdp.host import remedy_for
from twistdp.model import of_error


def make(check: Check, run: Run) -> str | None:
    """What is wrong; empty if nothing is.  `run` may be cancelled by another thread.

    None if it cannot be known, as this process lacks memory, threads or descriptors.
    """
    try:
        return _made(check, run)
    except Exception as error:
        if remedy_for(error) is not None:
            return None
        return f"the check of {check.what} failed: {of_error(error)}"


def _made(check: Check, run: Run) -> str:
    match check:
        case Attribute():
            return of_attribute(check)
        case File():
            return of_file(check)
        case Present():
            return of_path(check)
        case Command():
            return of_command(check, run)
        case Tcp():
            return of_tcp(check)
        case Http():
            return of_http(check)
    raise TypeError(f"{check!r} is no kind of check")
