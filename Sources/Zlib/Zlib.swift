// Zlib holds the safe Swift side of zlib: compressed files read in memory, within bounds. It knows nothing about what is in them.
