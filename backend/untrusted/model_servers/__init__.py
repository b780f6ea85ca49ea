"""Model servers, started when a model is asked for, stopped when it no longer is; one for all workers of gunicorn.

A SavedModel is given to a real ``tensorflow_model_server`` where there is one, everything else and everywhere else to
the embedded one; both are put in a sandbox by :mod:`backend.untrusted.confined` and speak TensorFlow Serving's REST and gRPC APIs through
a Unix socket in the model's folder (:mod:`backend.tfserving.client`), so that what is here does not know which of them answers.
"""

from backend.untrusted.model_servers.asking import ModelServer
from backend.untrusted.model_servers.remote import Remote
from backend.untrusted.model_servers.starting import ModelServers

__all__ = ["ModelServer", "ModelServers", "Remote"]
