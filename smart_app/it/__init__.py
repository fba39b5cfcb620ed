"""What hospital IT runs on the shell: the registration sheet, the check of a site, a call as a client makes it."""
