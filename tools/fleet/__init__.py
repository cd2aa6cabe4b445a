"""What many models in one call take, and whether any is lost."""
