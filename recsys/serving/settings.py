"""Settings of the ranking service: from ``RECSYS_*`` variables, overruled by the command line."""

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from recsys.errors import ConfigError


def _half_the_cores() -> int:
    return min(4, max(1, (os.cpu_count() or 1) // 2))


class ServeSettings(BaseSettings):
    """How one serving process listens, batches and follows the store."""

    model_config = SettingsConfigDict(
        env_prefix="RECSYS_",
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    redis: str = "embedded://store"
    """Where versions, vectors and histories live: ``redis://HOST:PORT/DB`` or ``embedded://PATH``,
    a real Redis that is started on demand and keeps its data in that folder."""
    host: str = "127.0.0.1"
    """Address to listen on; ``0.0.0.0`` for every IPv4 interface."""
    port: int = Field(50051, ge=0, le=65535)
    """Port of the gRPC services; 0 takes any free one."""
    reuse_port: bool = False
    """Let several serving processes share the port (SO_REUSEPORT), one a core. Off, so that a
    port already taken is an error."""
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    """``cpu``, ``cuda``, ``cuda:1``; ``auto`` is the first GPU, or the CPU when there is none."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Type of the first scores; the answer does not depend on it. ``auto``: the fastest here."""
    threads: int = Field(default_factory=_half_the_cores, ge=1)
    """Threads that scores are computed with on a CPU; by default half the cores, at most 4. Never
    more than the container may use: threads that wait for each other's turn cost seconds."""
    explore: float = Field(0.0, ge=0, le=1)
    """Probability that a place is filled at random rather than by the best news, so that
    tomorrow's offline evaluation has something to compare with."""
    seed: int | None = Field(None, ge=0)
    """Seed of exploration; unset: different in every process."""
    max_batch: int = Field(64, ge=1)
    """Requests computed together, at most."""
    max_wait_ms: float = Field(0.0, ge=0)
    """Longest a batch that has company stays open for more; a lone request never waits."""
    max_queue: int = Field(1024, ge=1)
    """Requests waiting; one more is refused with RESOURCE_EXHAUSTED."""
    store_wait_ms: float = Field(250.0, gt=0)
    """Longest a batch waits for the store; after it, readers get popular news: a store that hangs
    must not take the service with it."""
    poll_seconds: float = Field(1.0, gt=0)
    """How often the live version is looked up."""
    grace_seconds: float = Field(10.0, ge=0)
    """On SIGTERM or SIGINT, time for requests in flight to finish."""
    metrics_host: str = "127.0.0.1"
    """Address of the Prometheus page."""
    metrics_port: int | None = Field(None, ge=0, le=65535)
    """Port of the Prometheus page; unset: none."""
    token: SecretStr | None = Field(None, min_length=1)
    """Bearer token that every call but health checks must carry; unset: none is asked for."""
    tls_cert: Path | None = None
    """PEM certificate chain of the server; with ``tls_key`` it turns TLS on."""
    tls_key: Path | None = None
    """PEM private key of the server."""
    tls_ca: Path | None = None
    """PEM certificates of the authorities that clients' certificates must come from (mutual
    TLS); unset: clients need none."""

    @field_validator("token")
    @classmethod
    def _can_be_sent(cls, token: SecretStr | None) -> SecretStr | None:
        text = token.get_secret_value() if token else ""
        if not (text.isascii() and text.isprintable()):
            raise ValueError("expected printable ASCII, without a line break at its end")
        return token

    @classmethod
    def read(cls, **given: Any) -> "ServeSettings":
        """Take what is given, the rest from the environment, the rest from the defaults.

        Args:
            **given: Settings by name; None means not given.

        Raises:
            ConfigError: A value is out of range; the message names the setting.
        """
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            raise ConfigError("; ".join(map(_explain, error.errors()))) from None


def _explain(item: Any) -> str:
    field = str(item["loc"][0]) if item["loc"] else "settings"
    source = f"--{field.replace('_', '-')} or RECSYS_{field.upper()}"
    found = "" if field == "token" else f", found {item['input']!r}"
    return f"{field} ({source}): {item['msg']}{found}"
