"""RTP, RTCP, DTMF and audio: streams of one process, paced by one tick."""
