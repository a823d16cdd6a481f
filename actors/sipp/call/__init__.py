"""One call of a scenario file, sans I/O: what it sends, what it waits for, and what it is judged by."""
