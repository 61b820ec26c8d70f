"""Files at a URI, and what a store's refusals become."""

import pickle
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest

from ecgtune.errors import InputError, StorageError
from ecgtune.remote import Remote, RemoteError, _refusals
from ecgtune.uri import below


@pytest.fixture
def remote(bucket):
    return Remote(bucket.uri())


def test_what_was_written_is_read_listed_and_removed(remote, bucket, tmp_path):
    assert (remote.files(), remote.read("a/b"), remote.stamp("a/b")) == ({}, None, None)
    remote.write("a/b", b"one")
    remote.write("a/c/d", b"three")
    assert bucket.names() == ["results/a/b", "results/a/c/d"]
    assert {name: size for name, (size, _) in remote.files().items()} == {"a/b": 3, "a/c/d": 5}
    assert remote.files("a/c").keys() == {"a/c/d"}
    assert remote.stamp("a/b") == remote.files()["a/b"]
    assert remote.folders() == {"a"}
    assert pickle.loads(pickle.dumps(remote)).read("a/b") == b"one"
    assert remote.download("a/b", tmp_path / "new" / "b")
    assert (tmp_path / "new" / "b").read_bytes() == b"one"
    assert not remote.download("a/x", tmp_path / "x")
    assert [path.name for path in tmp_path.iterdir()] == ["new"], "nothing half done is left"
    remote.remove("a/b")
    remote.remove("a/b")
    assert remote.files().keys() == {"a/c/d"}
    remote.remove_folder("a")
    remote.remove_folder("a")
    assert bucket.names() == []


@pytest.mark.parametrize("uri", ["nope://x/y", "s3://bucket/p?wrong=1"])
def test_what_pyarrow_does_not_take_is_told(uri):
    with pytest.raises(InputError, match=r"cannot be used as a place for files: .*s3://BUCKET/PATH"):
        Remote(uri)


@pytest.mark.parametrize("act", [lambda r: r.files(), lambda r: r.write("x", b"1")])
def test_a_bucket_that_is_not_there(s3_server, act):
    remote = Remote(f"s3://no-such-bucket/p?endpoint_override={s3_server}&region=us-east-1")
    with pytest.raises(RemoteError, match="s3://no-such-bucket/p: there is no such bucket") as caught:
        act(remote)
    assert not caught.value.passing
    assert isinstance(caught.value, StorageError)
    assert caught.value.exit_code == 2


def test_a_server_that_is_not_there_may_come():
    remote = Remote("s3://bucket/p?endpoint_override=http://127.0.0.1:1&region=us-east-1")
    with pytest.raises(RemoteError, match="s3://bucket/p cannot be reached") as caught:
        remote.stamp("x")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.passing) == (str(caught.value), True)


@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied"])
def test_wrong_credentials_are_told_without_them(code, monkeypatch):
    class Refuse(BaseHTTPRequestHandler):
        def do_GET(self):
            body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()
            self.send_response(403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    server = HTTPServer(("127.0.0.1", 0), Refuse)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        remote = Remote(f"s3://bucket/p?endpoint_override=http://127.0.0.1:{server.server_port}&region=us-east-1")
        with pytest.raises(RemoteError, match=r"does not let us in\. Check AWS_ACCESS_KEY_ID") as caught:
            remote.files()
    finally:
        server.shutdown()
        server.server_close()
    assert "hush" not in str(caught.value)
    assert not caught.value.passing


def test_nobody_waits_long_for_a_server_that_is_gone(bucket):
    _, (options,) = Remote(bucket.uri())._fs.__reduce__()
    assert (options["connect_timeout"], options["request_timeout"]) == (5.0, 20.0)
    assert (options["endpoint_override"], options["region"]) == (bucket.endpoint, "us-east-1")
    _, (options,) = Remote("gs://bucket/p")._fs.__reduce__()
    assert options["retry_time_limit"].total_seconds() == 20.0


def test_what_may_be_over_in_a_while_is_tried_again(bucket, monkeypatch):
    remote = Remote(bucket.uri(), patience=10)
    calls = []

    def flaky():
        calls.append(1)
        if len(calls) < 3:
            raise OSError("AWS Error SLOW_DOWN during PutObject operation")
        return "done"

    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert remote._do(flaky) == "done"
    with pytest.raises(RemoteError, match="cannot be reached"):
        Remote(bucket.uri())._do(lambda: calls.clear() or flaky())


def test_what_lies_below_a_uri_can_be_given_again(bucket):
    Remote(bucket.uri()).write("s/sweep.toml", b"x")
    assert Remote(below(bucket.uri(), "s")).read("sweep.toml") == b"x"
    assert below("s3://b/p/", "s") == "s3://b/p/s"


def test_a_google_store_without_credentials_is_not_called_a_server_that_is_gone():
    said = "google::cloud::Status(UNAVAILABLE: Retry policy exhausted: Could not create a OAuth2 access token)"
    with (
        pytest.raises(RemoteError, match="does not let us in.*GOOGLE_APPLICATION_CREDENTIALS") as caught,
        _refusals("gs://bucket"),
    ):
        raise OSError(said)
    assert not caught.value.passing
    with pytest.raises(RemoteError, match="cannot be reached") as caught, _refusals("gs://bucket"):
        raise OSError("google::cloud::Status(UNAVAILABLE: no answer)")
    assert caught.value.passing


def test_of_a_long_refusal_the_first_line_is_told(monkeypatch):
    def refuse(uri):
        raise OSError("there is no library\ntried here\ntried there")

    monkeypatch.setattr("pyarrow.fs.FileSystem", SimpleNamespace(from_uri=refuse))
    with pytest.raises(InputError, match="cannot be used as a place for files: there is no library\\. Give") as caught:
        Remote("hdfs://nowhere/x")
    assert "\n" not in str(caught.value)
