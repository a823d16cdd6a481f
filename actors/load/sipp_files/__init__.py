"""Calls of scenario files of SIPp: those that a load begins, and those that a robot takes."""
