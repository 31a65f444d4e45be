"""Beyond the Spectrum: detection by re-synthesis (He et al., IJCAI 2021)."""
