"""One call worker: all calls of one slot, and what happens to requests outside of them."""
