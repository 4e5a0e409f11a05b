"""What keeps Redis from answering, as one line that names the Redis."""

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from redis.exceptions import RedisError

from recsys.errors import StoreUnavailable


class Named(Protocol):
    """Whoever talks to a Redis."""

    name: str
    """The Redis in messages: its URL without a password."""


P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound=Named)


def reachable(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """Make a method raise StoreUnavailable where the client's library raises its own errors."""

    @functools.wraps(method)
    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(self, *args, **kwargs)
        except RedisError as error:
            raise StoreUnavailable(f"{self.name}: {' '.join(str(error).split())}") from error

    return call
