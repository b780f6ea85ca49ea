"""Map errors to HTTP: status, code and headers; the only place that knows which error becomes which answer."""

import errno

from werkzeug.exceptions import HTTPException

from workbench.errors import (
    BadInput,
    Conflict,
    Full,
    ModelRefused,
    NeedsTensorFlow,
    NoModel,
    NoPictureModel,
    NotAPicture,
    NotFetched,
    NotFound,
    TokenNeeded,
    TooLarge,
    TooMany,
    Unavailable,
    UrlRefused,
    WorkbenchError,
    WrongOffset,
)

_CODES = {400: "bad_request", 408: "too_slow", 413: "too_large", 415: "unsupported"}


class Refusal(Exception):
    """An answer that is an error; raised by what speaks HTTP itself."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers or {}


def refusal(error: Exception) -> Refusal:
    """Give the answer that an error becomes."""
    match error:
        case Refusal():
            return error
        case HTTPException():
            status = error.code or 500
            code = _CODES.get(status, (error.name or "error").lower().replace(" ", "_"))
            headers = {k: v for k, v in error.get_headers() if k in ("Allow", "Retry-After", "Location")}
            return Refusal(status, code, str(error.description), headers)
        case WorkbenchError():
            return Refusal(*_status(error), str(error), _headers(error))
        case OSError() if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return Refusal(507, "disk_full", "the back end's disk is full")
    return Refusal(
        500, "internal", "something went wrong here; the log has the reason under this request's id"
    )


_STATUS: dict[type[WorkbenchError], tuple[int, str]] = {
    TooLarge: (413, "too_large"),
    NotAPicture: (415, "unsupported"),
    NoPictureModel: (422, "no_picture"),
    UrlRefused: (400, "url_refused"),
    BadInput: (400, "bad_request"),
    TokenNeeded: (401, "token"),
    NotFound: (404, "not_found"),
    Conflict: (409, "conflict"),
    ModelRefused: (422, "model_refused"),
    NotFetched: (422, "not_fetched"),
    TooMany: (429, "too_many"),
    NeedsTensorFlow: (501, "needs_tensorflow"),
    NoModel: (503, "no_model"),
    Unavailable: (503, "busy"),
    Full: (507, "disk_full"),
}
"""An error that is not here becomes what the nearest of its parents does."""


def _status(error: WorkbenchError) -> tuple[int, str]:
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), (500, "failed"))


def _headers(error: WorkbenchError) -> dict[str, str]:
    match error:
        case TokenNeeded():
            return {"WWW-Authenticate": "Bearer"}
        case WrongOffset():
            return {"Upload-Offset": str(error.here)}
        case Unavailable() | TooMany() | Conflict() if error.after_s is not None:
            return {"Retry-After": f"{error.after_s:.0f}"}
    return {}
