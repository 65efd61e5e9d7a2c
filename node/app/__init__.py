"""Application services: what the portal, the admin pages, the console and the mesh may ask of the node."""
