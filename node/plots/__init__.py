"""Plots of the node's history as SVG, with the same in words and as a table."""
