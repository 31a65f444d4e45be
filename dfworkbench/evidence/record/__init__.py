"""The record of a case: its folder, hashes and log, and the check that finds any change."""
