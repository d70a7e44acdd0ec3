"""Where clips come from: one module a source, each an object with `items()` and `read(item)`."""
