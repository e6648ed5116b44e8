"""Which member is asked, and with what."""
