"""Data extraction: from a folder of videos to tables and face crops, resumable and on as many cores as there are."""

from dfworkbench.extraction.extract import extract, extract_table
from dfworkbench.extraction.settings import ExtractSettings

__all__ = ["ExtractSettings", "extract", "extract_table"]
