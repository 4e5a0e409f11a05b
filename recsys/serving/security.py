"""Who may call, and in what envelope: TLS and a bearer token, both off unless set."""

import hmac
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc

from recsys.errors import ConfigError
from recsys.serving.settings import ServeSettings

OPEN_METHODS = ("/grpc.health.v1.Health/",)  # probes carry no token


def server_credentials(settings: ServeSettings) -> grpc.ServerCredentials | None:
    """Read the server's key and certificates; None when TLS is off.

    Raises:
        ConfigError: Only one of key and certificate is set, a file cannot be read or is not what it
            should be, or key and certificate do not belong together.
    """
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise ConfigError("tls_cert, tls_key: set both, or neither")
    if settings.tls_cert is None or settings.tls_key is None:
        if settings.tls_ca is not None:
            raise ConfigError("tls_ca: needs tls_cert and tls_key")
        return None
    pair = (_read("tls_key", settings.tls_key), _read("tls_cert", settings.tls_cert))
    authorities = _read("tls_ca", settings.tls_ca) if settings.tls_ca else None
    _check(settings.tls_cert, settings.tls_key, settings.tls_ca)
    return grpc.ssl_server_credentials(
        [pair], root_certificates=authorities, require_client_auth=authorities is not None
    )


def _read(field: str, path: Path) -> bytes:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{field}: {path}: {error.strerror}; expected a PEM file") from None
    if b"-----BEGIN" not in text:
        raise ConfigError(f"{field}: {path}: expected PEM text that starts with -----BEGIN")
    return text


def _check(cert: Path, key: Path, ca: Path | None) -> None:
    """Try the files out: gRPC says no more of wrong ones than that it cannot listen."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(cert, key, password="")  # never ask for one
        if ca:
            context.load_verify_locations(ca)
    except ssl.SSLError as error:
        raise ConfigError(
            "tls_cert, tls_key, tls_ca: expected PEM certificates, and the key of tls_cert without "
            f"a password: {error.reason or error}"
        ) from None


class BearerToken(grpc.aio.ServerInterceptor):
    """Refuses calls that do not carry ``authorization: Bearer TOKEN`` with UNAUTHENTICATED."""

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode()
        self._refusal = grpc.unary_unary_rpc_method_handler(_refuse)

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any
    ) -> Any:
        """Let a call through, or answer it with a refusal."""
        if handler_call_details.method.startswith(OPEN_METHODS):
            return await continuation(handler_call_details)
        metadata = dict(handler_call_details.invocation_metadata or ())
        given = str(metadata.get("authorization", "")).encode()
        if hmac.compare_digest(given, self._expected):
            return await continuation(handler_call_details)
        return self._refusal


async def _refuse(request: Any, context: grpc.aio.ServicerContext) -> None:
    await context.abort(
        grpc.StatusCode.UNAUTHENTICATED, "expected metadata 'authorization: Bearer TOKEN'"
    )
