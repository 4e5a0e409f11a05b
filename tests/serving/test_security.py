import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from recsys.client import RankerClient, Tls
from recsys.errors import ConfigError, ServingError
from recsys.serving.security import server_credentials
from recsys.serving.settings import ServeSettings
from tests.serving import world


def test_tls_is_off_unless_set():
    assert server_credentials(ServeSettings.read()) is None


@pytest.mark.parametrize("given", [{"tls_cert": "c"}, {"tls_key": "k"}, {"tls_ca": "a"}])
def test_half_of_tls_is_an_error(given):
    with pytest.raises(ConfigError, match="tls_cert"):
        server_credentials(ServeSettings.read(**given))


def test_a_missing_or_foreign_file_is_named(tmp_path):
    (tmp_path / "key.pem").write_text("hello")
    for name, message in (("none.pem", "No such file"), ("key.pem", "BEGIN")):
        given = ServeSettings.read(tls_cert=tmp_path / name, tls_key=tmp_path / name)
        with pytest.raises(ConfigError, match=rf"tls_key: .*{name}.*{message}"):
            server_credentials(given)


def test_files_that_do_not_fit_are_told_before_the_port_is_bound(pair, tmp_path):
    (cert, key), (_, other_key) = pair, world.certificate(tmp_path)
    damaged = tmp_path / "damaged.pem"
    damaged.write_text("-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n")
    for given in (
        {"tls_cert": cert, "tls_key": other_key},
        {"tls_cert": damaged, "tls_key": key},
        {"tls_cert": cert, "tls_key": key, "tls_ca": damaged},
    ):
        with pytest.raises(ConfigError, match="tls_cert, tls_key, tls_ca: expected"):
            server_credentials(ServeSettings.read(**given))


def test_an_encrypted_service_answers_those_that_trust_it(published, pair):
    cert, key = pair
    with (
        world.serving(published, tls_cert=cert, tls_key=key) as server,
        RankerClient(server.address, timeout_s=60, tls=Tls(ca=cert)) as client,
    ):
        assert client.rank("ann").rung == "cached"


def test_an_encrypted_service_does_not_answer_plain_text(published, pair):
    cert, key = pair
    with (
        world.serving(published, tls_cert=cert, tls_key=key) as server,
        RankerClient(server.address, timeout_s=60) as client,
        pytest.raises(ServingError),
    ):
        client.rank("ann")


def test_mutual_tls_asks_for_the_clients_certificate(published, pair):
    cert, key = pair
    with world.serving(published, tls_cert=cert, tls_key=key, tls_ca=cert) as server:
        known, unknown = Tls(ca=cert, cert=cert, key=key), Tls(ca=cert)
        with RankerClient(server.address, timeout_s=60, tls=known) as client:
            assert client.rank("ann").rung == "cached"
        with RankerClient(server.address, tls=unknown) as client, pytest.raises(ServingError):
            client.rank("ann")


@pytest.fixture
def guarded(published):
    with world.serving(published, token="s3cret") as server:
        yield server


@pytest.mark.parametrize("token", [None, "S3cret", "s3cret2"])
def test_without_the_token_nothing_is_answered(guarded, token):
    with (
        RankerClient(guarded.address, timeout_s=60, token=token) as client,
        pytest.raises(ServingError, match="authorization"),
    ):
        client.rank("ann")


def test_with_the_token_everything_is_answered(guarded):
    with RankerClient(guarded.address, timeout_s=60, token="s3cret") as client:
        assert client.rank("ann").rung == "cached"


def test_reflection_needs_the_token_and_health_does_not(guarded):
    with grpc.insecure_channel(guarded.address) as channel:
        reply = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert reply.status == health_pb2.HealthCheckResponse.SERVING
        asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            list(stub.ServerReflectionInfo(asked, timeout=60))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
