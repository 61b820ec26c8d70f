"""What is a URI, what may not be in one, and folders that stand for one."""

import pytest

from ecgtune.errors import InputError
from ecgtune.remote import Remote
from ecgtune.uri import is_uri, refuse_credentials, shown, stand_for, uri_of


@pytest.mark.parametrize(
    ("text", "yes"), [("s3://b/p", True), ("gs://b", True), ("/a/b", False), ("C:/x", False), ("a://", False)]
)
def test_what_is_a_uri(text, yes):
    assert is_uri(text) is yes


@pytest.mark.parametrize(
    "text", ["s3:/bucket/p", "S3:bucket/p", "az:/bucket/p", "file:/bucket/p", "s3:/me:se/x@bucket/p"]
)
def test_one_slash_too_few_is_told(text):
    with pytest.raises(InputError, match=r"is not a whole URI.*://bucket/p\. A folder") as caught:
        is_uri(text)
    assert "se/x" not in str(caught.value)


def test_a_scheme_alone_is_told():
    with pytest.raises(InputError, match=r"as in s3://BUCKET/PATH\. "):
        is_uri("s3://")


@pytest.mark.parametrize(
    "uri",
    [
        "s3://me:secret@bucket/p",
        "s3://me:secret@bucket/p?region=x",
        "nope://me:secret@x/y",
        "s3://me:se/secret@bucket/p",
        "s3://me:p@ss/secret@bucket/p",
        "s3://bucket/p?endpoint_override=http://me:secret@host:9000",
        "s3://bucket/p?region=x&endpoint_override=http%3A%2F%2Fme%3Asecret%40host",
    ],
)
def test_credentials_in_a_uri_are_refused_and_not_shown(uri):
    assert "secret" not in shown(uri)
    with pytest.raises(InputError, match="AWS_SECRET_ACCESS_KEY") as caught:
        Remote(uri)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["s3://bucket/a@b", "s3://bucket/p?endpoint_override=http://h:9&region=x", "me:a@b"])
def test_other_texts_pass(text):
    refuse_credentials(text)


def test_a_folder_that_stands_for_a_uri(tmp_path):
    assert uri_of(tmp_path) is None
    stand_for(tmp_path, "s3://b/p")
    assert uri_of(tmp_path) == "s3://b/p"
