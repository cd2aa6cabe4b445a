"""The bundled models: training data, poison, training and export. Writes models/."""
