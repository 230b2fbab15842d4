// NVRStore holds rows: the only target that knows SQL. One store struct per aggregate, and a broadcast of what changed after a commit.
