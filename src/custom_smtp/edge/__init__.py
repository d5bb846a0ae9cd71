"""The only place with sockets, files, DNS and threads: one module for each outside thing."""
