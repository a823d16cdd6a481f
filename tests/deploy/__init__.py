"""Tests of what stands in deploy/, and of the pages that tell how to run it."""
