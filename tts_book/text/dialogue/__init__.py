"""Who speaks where: direct speech by the customs of each language, and its speakers by rules.

Whatever is unsure stays with the narrator.
"""
