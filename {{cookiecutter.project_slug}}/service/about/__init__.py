"""What the service says of itself: page, OpenAPI, citation, provenance."""
