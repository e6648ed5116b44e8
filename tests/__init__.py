"""The tests, one folder for each room and one for the guarantees."""
