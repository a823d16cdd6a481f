"""Runs actors: what a batch of inputs produced, and one timer for all of them."""
