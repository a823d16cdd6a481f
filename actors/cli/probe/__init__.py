"""`sipswarm probe`: one probe from the terminal, and the service of many."""
