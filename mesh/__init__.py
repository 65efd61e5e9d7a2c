"""The fence, for neighbours: finding other nodes of the community, proving keys, exchanging signed pages."""
