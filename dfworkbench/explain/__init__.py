"""What a trained detector knows: identities in its features, where it looks for artefacts, and what that costs on new people."""
