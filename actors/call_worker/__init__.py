"""One call worker: all calls of one slot, and the answers to requests outside of them."""
