// NVROffsite copies the footage of events to buckets of S3-compatible servers while it is being recorded: a queue in the database, one
// worker for each bucket, pieces that play by themselves.
