"""Click models: each simulates clicks, predicts them, and is fitted to a log.

A model holds what belongs to places and readers; what belongs to documents is ``appeal``, the
probability that a document is clicked once it is examined, one number a document. Numpy only.
"""

from collections.abc import Callable

from recsys.ltr.clicks import browsing, cascade, dynamic, position, trust
from recsys.ltr.clicks.sessions import ClickModel, Fitted

FITS: dict[str, Callable[..., Fitted]] = {
    "position": position.fit,
    "trust": trust.fit,
    "cascade": cascade.fit,
    "dynamic": dynamic.fit,
    "browsing": browsing.fit,
}
"""Estimators by name; each takes sessions, the number of documents and of iterations."""

__all__ = ["FITS", "ClickModel", "Fitted"]
