"""Addresses without what should not stay in them."""

from urllib.parse import urlencode

from tornado.httputil import HTTPServerRequest


def without_token(request: HTTPServerRequest) -> str | None:
    """The address without the token that came with it: it has set a cookie, and belongs in no history.

    Nor in the environment of a kernel, to which Voilà hands the query on. ``None`` where there is no token in it.
    """
    arguments = request.query_arguments
    if "token" not in arguments:
        return None
    kept = [(name, value) for name, values in arguments.items() if name != "token" for value in values]
    return request.path + ("?" + urlencode(kept) if kept else "")
