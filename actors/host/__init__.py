"""The operating system: processes, files, standard streams, systemd."""
