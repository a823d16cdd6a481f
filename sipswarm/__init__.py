"""sipswarm: thousands of SIP calls, with their audio and digits, as actors in a few Python processes."""
