"""Requests outside of calls in a call worker: sent, received, and those of subscriptions."""
