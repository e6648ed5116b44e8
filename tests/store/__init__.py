"""Where usage, reservations and cached answers are kept."""
