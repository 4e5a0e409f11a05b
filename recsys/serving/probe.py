"""``python -m recsys.serving.probe [SERVICE]``: exit 0 if the server here is healthy, else 1.

For container health checks: asks ``grpc.health.v1`` at the port of the settings. SERVICE is empty
for liveness, ``recsys.rpc.v1.RankingService`` for readiness. With TLS on, the server's own
certificate is what is trusted; it has to name ``localhost``.
"""

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from recsys.errors import RecsysError
from recsys.serving.settings import ServeSettings

TIMEOUT_SECONDS = 2.0


def verdict(settings: ServeSettings, service: str) -> str:
    """Return ``SERVING``, or why not."""
    here = settings.host not in ("0.0.0.0", "::")
    target = f"{settings.host if here else 'localhost'}:{settings.port}"
    if settings.tls_cert:
        trusted = grpc.ssl_channel_credentials(settings.tls_cert.read_bytes())
        channel = grpc.secure_channel(target, trusted)
    else:
        channel = grpc.insecure_channel(target)
    with channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        try:
            reply = check(health_pb2.HealthCheckRequest(service=service), timeout=TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            return f"{target}: {error.code().name}: {error.details()}"
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status))


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
