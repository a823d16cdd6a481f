"""What went wrong, who is to blame, and how that is written for people."""
