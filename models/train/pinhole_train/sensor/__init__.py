"""Sensor windows: a small transform per window and a context model of its latents, trained on one kind of sensor."""
