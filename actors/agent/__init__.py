"""The API for scripts: the user agent, and the embedded node under it."""
