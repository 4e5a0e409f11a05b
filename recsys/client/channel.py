"""How a client's channel is opened: retries, encryption, the token."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from recsys.errors import ConfigError

RANKING = "recsys.rpc.v1.RankingService"
MODEL = "recsys.rpc.v1.ModelService"
POLL_SECONDS = 0.1
"""Between two looks at a service that is not ready yet."""
LOADING_SECONDS = 60.0
"""Longest that loading a version may take."""
RETRIES = {
    "methodConfig": [
        {
            "name": [
                {"service": RANKING},
                {"service": MODEL, "method": "GetModel"},
                {"service": MODEL, "method": "ListVersions"},
            ],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.05s",
                "maxBackoff": "0.5s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}
"""Only what reads: a report that is sent twice would count twice."""
OPTIONS = [
    ("grpc.service_config", json.dumps(RETRIES)),
    ("grpc.keepalive_time_ms", 30_000),  # notices a peer that has gone without a word
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
]


@dataclass(frozen=True, kw_only=True)
class Tls:
    """PEM files for an encrypted channel."""

    ca: Path | None = None
    """Authorities of the service's certificate; None: the usual public ones."""
    cert: Path | None = None
    """The client's own certificate, where the service asks for one; with ``key``."""
    key: Path | None = None
    """The key of that certificate."""


def connect(target: str, tls: Tls | None, api: Any = grpc) -> Any:
    """Open a channel with ``grpc`` or with ``grpc.aio``; nothing is sent yet.

    Raises:
        ConfigError: A PEM file cannot be read, or only one of certificate and key is given.
    """
    if tls is None:
        return api.insecure_channel(target, options=OPTIONS)
    if (tls.cert is None) != (tls.key is None):  # gRPC would abort the whole process
        raise ConfigError("cert, key: expected both of a client's certificate, or neither")
    ca, key, cert = map(_read, (tls.ca, tls.key, tls.cert))
    credentials = grpc.ssl_channel_credentials(ca, key, cert)
    return api.secure_channel(target, credentials, options=OPTIONS)


def metadata(token: str | None) -> tuple[tuple[str, str], ...]:
    """Write the token as the service expects it.

    Raises:
        ConfigError: It has other characters than printable ASCII, which no header carries.
    """
    if token and not (token.isascii() and token.isprintable()):
        raise ConfigError("token: expected printable ASCII, without a line break at its end")
    return (("authorization", f"Bearer {token}"),) if token else ()


def _read(path: Path | None) -> bytes | None:
    try:
        return path.read_bytes() if path else None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; expected a PEM file") from None
