"""The providers: what kinds there are, and the actors that serve them."""
