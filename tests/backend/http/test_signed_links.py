"""A signed link opens one address until it expires, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.http.signed_links import opens, sign

PATH, KEY = "/models/m/versions/1.zip", "secret"


def parts(link: str) -> tuple[str, str, str]:
    path, _, query = link.partition("?")
    expires, signature = (field.partition("=")[2] for field in query.split("&"))
    return path, expires, signature


def test_it_opens_its_path_until_it_expires() -> None:
    path, expires, signature = parts(sign(PATH, KEY, 60, now=1000.0))
    assert (path, expires) == (PATH, "1060")
    assert opens(PATH, expires, signature, KEY, now=1059.0)
    assert not opens(PATH, expires, signature, KEY, now=1060.0)


def test_it_opens_nothing_else() -> None:
    _, expires, signature = parts(sign(PATH, KEY, 60, now=1000.0))
    assert not opens(PATH.replace("1", "2"), expires, signature, KEY, now=1000.0)
    assert not opens(PATH, "9999999999", signature, KEY, now=1000.0)
    assert not opens(PATH, expires, signature, "another", now=1000.0)
    assert not opens(PATH, expires, signature, "", now=1000.0)
    for other in (signature + "!", signature + "=", signature[:-1], signature.upper()):
        assert not opens(PATH, expires, other, KEY, now=1000.0)


@given(st.text(max_size=80), st.text(max_size=80))
def test_what_is_made_up_is_refused_and_never_fails(expires: str, signature: str) -> None:
    assert not opens(PATH, expires, signature, KEY, now=1000.0)


@pytest.mark.parametrize("forged", ["", "a", "=", "\ud800", "é", "A" * 43, "A" * 10_000])
def test_a_forged_signature_is_refused(forged: str) -> None:
    assert not opens(PATH, "9999999999", forged, KEY, now=1000.0)
