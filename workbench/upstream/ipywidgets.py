"""One fault of ipywidgets' minified scripts, mended as they are sent.

ipywidgets 8.1.9 looks for a widget for 2 s, every 100 ms, and gives up without a last look
(https://github.com/jupyter-widgets/ipywidgets/pull/4033). A widget that came in the last of these pauses, as on a busy
computer, stays "model not found" although it is there.

Versions: ``ipywidgets>=8.1.9,<8.2``. Goes when ``get_model`` waits for the widget's registration instead (issue 4026, pull
request 4040).
"""

import re

_GIVES_UP = re.compile(
    rb'(async get_model\((?P<id>\w+)\)\{[^;]*this\._models\[(?P=id)\].{1,200}?)(throw Error\("widget model not found"\))',
    re.DOTALL,
)
_LOOKS_AGAIN = rb"\1if(this.has_model(\g<id>))return this._models[\g<id>];\3"


def mend(script: bytes) -> bytes:
    """Give the script a last look; one that looks for no widgets stays as it is."""
    return _GIVES_UP.sub(_LOOKS_AGAIN, script) if b"widget model not found" in script else script
