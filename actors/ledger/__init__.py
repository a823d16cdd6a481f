"""The ledger of a slot: what the next process of the slot needs to go on with its calls, or to end them."""
