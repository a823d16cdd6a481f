"""REGISTER in a call worker: one actor for each binding, and the list that is kept bound."""
