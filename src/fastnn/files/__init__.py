"""Files: written completely or not at all, and read only if regular and of bounded size."""
