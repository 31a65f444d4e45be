"""Data extraction: from a folder of videos to tables and face crops, resumable and parallel."""

from dfworkbench.extraction.extract import extract, extract_table
from dfworkbench.extraction.settings import ExtractSettings

__all__ = ["ExtractSettings", "extract", "extract_table"]
