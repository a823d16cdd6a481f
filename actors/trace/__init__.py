"""SIP messages recorded, masked, drawn as ladders and written as captures."""
