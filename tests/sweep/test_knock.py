"""What is said about a cluster that does not take us; asked of a small server that speaks Ray's protocol."""

import json
import platform
from concurrent import futures

import grpc
import pytest
import ray
from ray._raylet import AuthenticationTokenLoader
from ray.core.generated import gcs_service_pb2, gcs_service_pb2_grpc

from ecgtune.errors import InputError
from ecgtune.sweep.knock import knock

TOKEN = "0123456789abcdef" * 2
OURS = {"ray_version": ray.__version__, "python_version": platform.python_version()}


class Head(gcs_service_pb2_grpc.InternalKVGcsServiceServicer):
    """Answers like a head with token authentication."""

    def __init__(self):
        self.versions, self.heard = OURS, []

    def InternalKVGet(self, request, context):  # noqa: N802
        token = dict(context.invocation_metadata()).get("authorization")
        self.heard.append(token)
        if token != f"Bearer {TOKEN}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "InvalidAuthToken")
        return gcs_service_pb2.InternalKVGetReply(value=json.dumps(self.versions).encode())


@pytest.fixture
def head():
    server, answers = grpc.server(futures.ThreadPoolExecutor(1)), Head()
    gcs_service_pb2_grpc.add_InternalKVGcsServiceServicer_to_server(answers, server)
    answers.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield answers
    server.stop(None)


@pytest.fixture
def token(monkeypatch, tmp_path):
    """Set mode and token; nothing of this machine's own counts."""

    def give(mode, value):
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
        for name, content in (("RAY_AUTH_MODE", mode), ("RAY_AUTH_TOKEN", value)):
            monkeypatch.delenv(name, raising=False)
            if content:
                monkeypatch.setenv(name, content)
        AuthenticationTokenLoader.instance().reset_cache()

    yield give
    monkeypatch.undo()
    AuthenticationTokenLoader.instance().reset_cache()


def test_the_right_token_opens(head, token):
    token("token", TOKEN)
    knock(head.address)
    assert head.heard == [f"Bearer {TOKEN}"]


@pytest.mark.parametrize(
    ("mode", "value", "said"),
    [
        ("", "", "RAY_AUTH_MODE is not set to token"),
        ("", TOKEN, "so none was sent"),
        ("token", "", "no token can be read from ~/.ray/auth_token"),
        ("token", TOKEN[::-1], "does not take this token (from RAY_AUTH_TOKEN)"),
    ],
)
def test_no_token_or_a_wrong_one_is_told_with_the_remedy_and_without_the_token(head, token, mode, value, said):
    token(mode, value)
    with pytest.raises(InputError) as caught:
        knock(head.address)
    message = str(caught.value)
    assert said in message
    assert "ray get-auth-token" in message
    assert "\n" not in message
    assert not value or value not in message
    assert f"Bearer {TOKEN}" not in head.heard


@pytest.mark.parametrize("value", ["two\nlines" + TOKEN, "t\u00f6ken" + TOKEN, "tab\there" + TOKEN])
def test_what_http_cannot_send_is_no_token(head, token, value):
    token("token", value)
    with pytest.raises(InputError, match="what RAY_AUTH_TOKEN holds is no token") as caught:
        knock(head.address)
    assert TOKEN not in str(caught.value)
    assert head.heard == []


def test_no_proxy_is_asked_for_the_head(head, token, monkeypatch):
    token("token", TOKEN)
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    knock(head.address)
    assert head.heard == [f"Bearer {TOKEN}"]


def test_a_cluster_of_this_machine_gets_the_token_without_being_told(head, token, monkeypatch):
    monkeypatch.setattr("ecgtune.sweep.knock._located", lambda address: head.address)
    token("", TOKEN)
    knock("auto")
    for mode, value, said in (("disabled", TOKEN, "so none was sent"), ("", "", "so none was sent")):
        token(mode, value)
        with pytest.raises(InputError, match=said):
            knock("auto")


@pytest.mark.parametrize(("name", "what"), [("ray_version", "Ray 2.1.9"), ("python_version", "Python 2.1.9")])
def test_other_versions_are_named(head, token, name, what):
    token("token", TOKEN)
    head.versions = OURS | {name: "2.1.9"}
    with pytest.raises(InputError, match=f"runs {what}, and this is {what.split()[0]} {OURS[name]}"):
        knock(head.address)


def test_another_patch_of_python_passes_where_ray_was_told_so(head, token, monkeypatch):
    token("token", TOKEN)
    major, minor, _ = platform.python_version().split(".")
    head.versions = OURS | {"python_version": f"{major}.{minor}.99"}
    with pytest.raises(InputError, match="runs Python"):
        knock(head.address)
    monkeypatch.setenv("RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL", "minor")
    knock(head.address)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:1", "no Ray cluster answers at 127.0.0.1:1 (unavailable)"),
        ("http://127.0.0.1:8265", "`ecgtune submit --address http://127.0.0.1:8265 -- sweep ...`"),
        ("ray://127.0.0.1:10001", "through Ray's client"),
        ("somewhere", "HOST:PORT"),
        ("somewhere:", "HOST:PORT"),
        ("some where:6379", "HOST:PORT"),
        ("somewhere:99999", "HOST:PORT"),
    ],
)
def test_an_address_of_another_kind_is_told(address, said):
    with pytest.raises(InputError) as caught:
        knock(address)
    assert said in str(caught.value)


@pytest.mark.parametrize(("job", "sent"), [(False, [None]), (True, [f"Bearer {TOKEN}"])])
def test_auto_sends_no_token_where_ray_address_names_the_cluster(head, token, monkeypatch, job, sent):
    token("", TOKEN)
    monkeypatch.setenv("RAY_ADDRESS", head.address)
    # Ray would turn the loopback address into one where our small server does not listen.
    monkeypatch.setattr(ray._private.services, "canonicalize_bootstrap_address", lambda _auto: head.address)
    monkeypatch.delenv("RAY_JOB_CONFIG_JSON_ENV_VAR", raising=False)
    if job:  # there Ray has set the address itself
        monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")
        knock("auto")
    else:
        with pytest.raises(InputError, match="asks for a token"):
            knock("auto")
    assert head.heard == sent
