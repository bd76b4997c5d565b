"""Ready-made language programs, one file each."""
