"""Who sees a token on its way to a dashboard."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ecgtune.cluster import client
from ecgtune.errors import InputError


@contextmanager
def listening():
    """A server that remembers what it is asked for, and by which host it was asked."""
    heard = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append((self.path, self.headers.get("authorization")))
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", heard
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("known", "elsewhere"), [("", 1), ("cluster.example", 0)])
def test_a_proxy_does_not_see_the_token_for_this_machine(monkeypatch, known, elsewhere):
    monkeypatch.setattr(client, "token_headers", lambda: {"authorization": "Bearer secret"})
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("no_proxy", known)
    with listening() as (proxy, seen), listening() as (dashboard, heard):
        monkeypatch.setenv("http_proxy", proxy)
        with pytest.raises(InputError, match="is no Ray dashboard"):
            client.connect(dashboard)
        assert (seen, heard) == ([], [("/api/version", "Bearer secret")])
        # Elsewhere it is the user who says where a proxy has no business.
        with pytest.raises(InputError):
            client.connect("http://cluster.example:8265")
        assert len(seen) == elsewhere
