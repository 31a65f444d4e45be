"""The ground floor: errors, names, settings, paths, geometry, pages. No torch, no OpenCV."""
