"""``detector audit``: does what was written follow from the input?"""
