"""Floor 3: what a failure means, what to do about it, and a staged check of a mail server."""
