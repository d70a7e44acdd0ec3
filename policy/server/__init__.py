"""Observations over a websocket in, action chunks out: messages, what they mean, batches, connections, a client."""

import importlib.util

for _name in ("msgpack", "websockets"):
    if importlib.util.find_spec(_name) is None:
        raise ValueError(f"serving a policy needs {_name}: pip install 'lapa[serve]'")
