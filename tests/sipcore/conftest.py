"""Hypothesis for the SIP core: the same examples every run, and its files outside the checkout."""

import tempfile
from pathlib import Path

from hypothesis import configuration, settings

configuration.set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "sipswarm-hypothesis")
settings.register_profile("sipcore", derandomize=True, database=None, deadline=None, max_examples=300)
settings.load_profile("sipcore")
