"""Taking out what a search has changed for nothing, before the certificate."""
