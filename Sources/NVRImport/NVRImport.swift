// NVRImport brings an installation of VibeNVR (the Python product whose API is spoken here) along: its database, from a dump of PostgreSQL or
// an SQLite file, and its recordings. Everything it reads was written by others and is believed nothing.
