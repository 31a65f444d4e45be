"""Record of a case: folder, hashes and log, and verification that detects any change."""
