"""The rows, by what they are about."""

from importlib import import_module

TOPICS = (
    "dispatchers", "links", "soak", "call_workers", "media_workers", "pauses", "writing", "streams", "strangers",
    "hostile", "networks", "peers", "resources", "system_calls", "recycling",
)  # fmt: skip


def load_all() -> None:
    """Import every topic, so that its rows register."""
    for name in TOPICS:
        import_module(f"{__name__}.{name}")
