"""The requests of a load: their sides and route, those of calls too, and the arrivals that are no calls."""
