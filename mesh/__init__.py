"""The mesh: discovery of the community's other nodes, authentication by key, and exchange of signed pages."""
