"""What a script needs beside its user agents: the event loop of a node, and `/metrics`."""
