"""A SIP peer that misbehaves by a table, and the table of what `sipswarm load` must say of each misbehaviour."""
