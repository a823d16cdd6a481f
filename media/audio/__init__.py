"""Sound: codecs, sample rates, files, the playout buffer, and what it is worth (ITU-T G.711, G.107)."""
