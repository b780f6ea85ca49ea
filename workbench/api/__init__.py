"""The public Python API: what ``import workbench`` offers, the same verbs as the commands'.

All of it is about the workbench that the environment names (``WORKBENCH_HOME`` and so on), read at each call. What
``show()`` gives is for a notebook: as a cell's last line it is displayed, and stays up to date.
"""
