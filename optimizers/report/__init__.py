"""What a compile leaves behind: the result, its report, and the report as a page."""
