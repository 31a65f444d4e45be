"""Shared base modules: errors, names, settings, paths, geometry, HTML pages. No torch, no OpenCV."""
