"""Memory layout: where buffers lie in the arena."""
