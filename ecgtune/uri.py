"""What a URI says, such as `s3://BUCKET/PATH`, and the folders here that stand for one."""

import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from ecgtune.errors import InputError
from ecgtune.files import write_text

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://.+")
_MEANT = re.compile(r"(s3|gs|gcs|hdfs|viewfs|abfss?|https?|file):.*|[a-z][a-z0-9+.-]+:/.*", re.IGNORECASE)
# In a folder that stands for one at a URI.
_NOTE = ".uri"


def is_uri(text: str) -> bool:
    """Whether a text names a place at a URI and not in a file system.

    Raises:
        InputError: it was meant as one, and has a slash too few or no more than its scheme.
    """
    if _URI.fullmatch(text):
        return True
    if _MEANT.fullmatch(text):
        scheme, _, rest = text.partition(":")
        slashes = rest[: len(rest) - len(rest.lstrip("/"))]
        place = _without_user(rest.lstrip("/")).partition("?")[0]
        raise InputError(
            f"'{scheme}:{slashes}{place}' is not a whole URI: it takes two slashes and a place behind them, as in "
            f"{scheme}://{place or 'BUCKET/PATH'}. A folder of that name is './{scheme}:{slashes}{place}'."
        )
    return False


def shown(uri: str) -> str:
    """A URI as it may be printed and written: without user, password and query."""
    scheme, _, rest = uri.partition("://")
    parts = urlsplit(f"//{_without_user(rest)}")
    return urlunsplit((scheme, parts.netloc, parts.path, "", ""))


def below(uri: str, name: str) -> str:
    """The URI of what lies in a folder at a URI; the query stays, so that it leads there."""
    place, mark, query = uri.partition("?")
    return f"{place.rstrip('/')}/{name}{mark}{query}"


def refuse_credentials(text: str) -> None:
    """Let no URI pass with a user or a password in it, nor one whose query has them; no other text is looked at.

    Raises:
        InputError: there are some; they are not shown.
    """
    if not is_uri(text):
        return
    rest = text.partition("://")[2]
    query = urlsplit(text).query
    if _without_user(rest) != rest or any("@" in value for _, value in parse_qsl(query)):
        raise InputError(
            f"{shown(text)} was given with credentials in it, and a URI is written into files. Leave them out: set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use ~/.aws/credentials or the machine's role."
        )


def _without_user(rest: str) -> str:
    """What follows `://`, without user and password; a password may have slashes in it."""
    place, mark, query = rest.partition("?")
    host = place.partition("/")[0]
    before = place if ":" in host else host
    return place[before.rfind("@") + 1 :] + mark + query


def stand_for(folder: Path, uri: str) -> None:
    """Have a folder here stand for one at a URI."""
    if uri_of(folder) != uri:
        write_text(folder / _NOTE, uri)


def uri_of(folder: Path) -> str | None:
    """The URI that a folder here stands for; None where it stands for itself."""
    try:
        return (folder / _NOTE).read_text(encoding="utf-8")
    except OSError:
        return None
