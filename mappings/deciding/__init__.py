"""Facts to course, relapse category and options."""
