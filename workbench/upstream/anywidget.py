"""One fault of anywidget's script, mended as it is sent to our pages.

anywidget 0.11 gives a widget 2 s to fetch and run its module. On a busy computer that is too short: the widget is shown
later all the same, but throws each message of its kernel away from then on
(``_handle_comm_msg`` waits for ``Runtime.ready``, which was rejected), so that it stays as it was first shown.
JupyterLab fetches the script by itself and has it as it is.

Versions: ``anywidget>=0.11,<0.12``. Goes when ``Runtime`` rejects ``ready`` for an error alone.
"""

import re

PATIENCE_MS = 120_000
_GIVES_UP = re.compile(
    rb'AbortSignal\.timeout\((?:2000|2e3)\)(\.addEventListener\("abort".{1,80}?Failed to initialize model)',
    re.DOTALL,
)


def mend(script: bytes) -> bytes:
    """Give widgets the time that a busy computer takes; a script without widgets stays as it is."""
    return _GIVES_UP.sub(rb"AbortSignal.timeout(%d)\1" % PATIENCE_MS, script)
