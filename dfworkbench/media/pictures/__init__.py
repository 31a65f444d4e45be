"""Still pictures: reading, writing, and what a file says about itself."""
