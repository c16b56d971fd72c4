"""A model of sessions that many processes use while their server, or one of them, is killed."""
