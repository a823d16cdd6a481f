"""The files that SIPp writes of a run: their lines from figures, for tools that read them."""
