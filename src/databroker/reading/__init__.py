"""Reading: documents in order, and columns as labelled arrays."""
