"""The REST API: who may ask, what answers look like, and the routers of all rooms under one address."""
