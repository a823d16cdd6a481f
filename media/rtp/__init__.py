"""RTP, RTCP and SRTP of one source: packets, sequence numbers, reception, reports (RFC 3550, 3711)."""
