"""What `load` and `check load` do by the method of the load."""
