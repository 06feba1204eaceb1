"""``detector dashboard``: a web page of incidents, live from the topics, for people."""
