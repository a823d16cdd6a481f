"""Digits: telephone events (RFC 4733), tones in the audio, and who listens for them."""
