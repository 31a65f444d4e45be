"""Still pictures: reading, writing, and metadata of a file."""
