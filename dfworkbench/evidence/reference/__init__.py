"""What evidence is compared with: the scored reference set, the tracks and faces of both, and what they share."""
