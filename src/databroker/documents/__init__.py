"""Documents: the immutable kinds, their columns, and their exact bytes."""
