"""POSIX extended regular expressions, as `ereg` and `regexp_match` have them."""
