"""What the neighbourhood offers: services that everybody reaches, written down or heard of on the people's side."""
