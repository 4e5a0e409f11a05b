"""``python -m recsys.serving.probe [SERVICE]``: exit 0 if the server here is healthy, else 1.

For container health checks: asks ``grpc.health.v1`` at the port of the settings. SERVICE is empty
for liveness, ``recsys.rpc.v1.RankingService`` for readiness. With TLS on, the server's own
certificate is what is trusted; it has to name ``localhost``. With mutual TLS the probe shows that
certificate as its own: an authority of ``tls_ca`` has to have issued it.
"""

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from recsys.errors import RecsysError
from recsys.serving.settings import ServeSettings

TIMEOUT_SECONDS = 2.0


def verdict(settings: ServeSettings, service: str) -> str:
    """Return ``SERVING``, or why not."""
    host = "localhost" if settings.host in ("0.0.0.0", "::") else settings.host
    target = f"[{host}]:{settings.port}" if ":" in host else f"{host}:{settings.port}"
    channel = _channel(settings, target)
    with channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        try:
            reply = check(health_pb2.HealthCheckRequest(service=service), timeout=TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            return f"{target}: {error.code().name}: {error.details()}"
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status))


def _channel(settings: ServeSettings, target: str) -> grpc.Channel:
    if settings.tls_cert is None:
        return grpc.insecure_channel(target)
    cert = settings.tls_cert.read_bytes()
    own = (settings.tls_key.read_bytes(), cert) if settings.tls_ca and settings.tls_key else ()
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(cert, *own))


def main(arguments: list[str]) -> int:
    """Say the verdict on stderr and return the exit code."""
    try:
        found = verdict(ServeSettings.read(), arguments[0] if arguments else "")
    except (OSError, RecsysError) as error:
        found = str(error)
    sys.stderr.write(f"{found}\n")
    return 0 if found == "SERVING" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
