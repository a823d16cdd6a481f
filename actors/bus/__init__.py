"""Links between processes: the records, their frames, the sockets, and which slot owns a Call-ID."""
