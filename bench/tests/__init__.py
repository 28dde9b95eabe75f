"""Tests of the driver: `python3 -m unittest` in the folder `bench`."""
