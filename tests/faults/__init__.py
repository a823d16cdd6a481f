"""Live nodes under what harms them: floods of hostile messages."""
