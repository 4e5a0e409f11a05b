"""Collects all that is wrong with a message before it is refused."""

from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from recsys.errors import InvalidRequest

MAX_ID_BYTES = 256
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799  # years 1 to 9999


class Violations:
    """What is wrong with a message, field by field."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}
        self.prefix = ""
        """Put before every field's name, as in ``requests[3].``."""

    def check(self, field: str, holds: bool, expected: str) -> None:
        """Note a field that does not hold, with what was expected of it."""
        if not holds:
            self._found[self.prefix + field] = expected

    def id(self, field: str, text: str) -> None:
        """Check the length of an id, which may be empty."""
        size = len(text.encode())
        self.check(
            field, size <= MAX_ID_BYTES, f"expected at most {MAX_ID_BYTES} bytes, found {size}"
        )

    def required_id(self, field: str, text: str) -> None:
        """Check an id that may not be empty."""
        self.id(field, text)
        self.check(field, bool(text), "expected an id, found nothing")

    def ids(self, field: str, texts: Sequence[str], limit: int) -> None:
        """Check a list of ids, and each of them."""
        found = len(texts)
        self.check(field, found <= limit, f"expected at most {limit} values, found {found}")
        if max(map(len, texts), default=0) * 4 > MAX_ID_BYTES:  # a character has 4 bytes at most
            for index, text in enumerate(texts):
                self.id(f"{field}[{index}]", text)

    def time(self, field: str, moment: Timestamp) -> None:
        """Check that a time is one that calendars know."""
        in_range = FIRST_SECOND <= moment.seconds <= LAST_SECOND and 0 <= moment.nanos < 10**9
        self.check(field, in_range, "expected a time from year 1 to 9999")

    def refuse(self) -> None:
        """Refuse the message when anything is wrong with it.

        Raises:
            InvalidRequest: With every field noted.
        """
        if self._found:
            raise InvalidRequest(self._found)
