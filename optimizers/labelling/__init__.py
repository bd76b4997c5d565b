"""Labels: which rows people should label next, and labels that nobody gave."""
