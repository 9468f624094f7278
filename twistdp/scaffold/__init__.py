"""A plugin project of one's own, and the checklist for any."""
