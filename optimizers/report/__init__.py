"""What a compile returns: the result, its report, and the report as a web page."""
