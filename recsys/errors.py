"""Every error this package raises on purpose.

* RecsysError
  + InputError             what the user gave cannot be used; its text is for the user
    - ConfigError          a setting is unknown, missing or out of range
    - DataError            an input file breaks its documented format
    - CheckpointError      a checkpoint, run or bundle is missing, damaged or of another model
    - AddressInUse         the address to listen on is taken
  + StoreError
    - StoreUnavailable     the store cannot be reached
    - VersionNotFound      the asked-for model version is not in the store
    - SpaceMismatch        a vector was written by a model of another space
  + ServingError
    - InvalidRequest       a field of a request is out of range
    - Overloaded           the request queue is full; retry later
  + Refused                a gate said no: nothing was changed
  + Interrupted            somebody asked to stop: all that was done is kept
"""

from pathlib import Path


class RecsysError(Exception):
    """Base class: catch this to catch everything below."""


class InputError(RecsysError):
    """What the user gave cannot be used; the message says where and what was expected."""


class ConfigError(InputError):
    """A setting is unknown, missing or out of range."""


class DataError(InputError):
    """An input file breaks its documented format."""

    @classmethod
    def at(cls, path: Path | str, message: str, *, line: int | None = None) -> "DataError":
        """Name the place first: ``ratings.dat:17: expected 4 fields, found 3``."""
        where = f"{path}:{line}" if line is not None else str(path)
        return cls(f"{where}: {message}")


class CheckpointError(InputError):
    """A checkpoint, run or bundle is missing, damaged or of another model."""


class AddressInUse(InputError):
    """The address to listen on is taken."""


class StoreError(RecsysError):
    """The store could not answer."""


class StoreUnavailable(StoreError):
    """The store cannot be reached."""


class VersionNotFound(StoreError):
    """The asked-for model version is not in the store."""


class SpaceMismatch(StoreError):
    """A vector was written by a model of another space; it is refused, never scored."""


class ServingError(RecsysError):
    """The service could not answer a request."""


class InvalidRequest(ServingError):
    """Fields of a request are out of range."""

    def __init__(self, violations: dict[str, str]) -> None:
        """Keep every offending field with what was expected of it."""
        super().__init__("; ".join(f"{field}: {text}" for field, text in violations.items()))
        self.violations = violations


class Overloaded(ServingError):
    """The request queue is full; retry later."""


class Refused(RecsysError):
    """A gate said no: nothing was changed."""


class Interrupted(RecsysError):
    """Somebody asked to stop: all that was done is kept."""
