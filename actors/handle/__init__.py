"""The `Call` that user code holds: its methods, parameters, callbacks and media."""
