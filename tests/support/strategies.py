"""Helps hypothesis to make values that may be refused."""

from collections.abc import Callable
from typing import Any, TypeVar

from twistdp.errors import BadDevice

T = TypeVar("T")


def made(factory: Callable[..., T], otherwise: T) -> Callable[..., T]:
    """Like `factory`, for strategies: what it refuses is `otherwise`."""

    def make(*arguments: Any, **parts: Any) -> T:
        try:
            return factory(*arguments, **parts)
        except BadDevice as error:
            assert str(error).isprintable(), repr(str(error))
        except Exception as error:  # of the values' own methods, such as comparing an array
            assert not isinstance(error, AttributeError | NameError), error
        return otherwise

    return make
