"""Proof-listening: a recogniser hears the finished book; what differs from the text is listed."""
