"""Training both networks together (CroDiNo-KD) and exporting them. Needs torch."""
