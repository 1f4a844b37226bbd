"""Reading: documents in order, and columns as labeled arrays."""
