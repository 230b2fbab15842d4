// Objects in buckets of S3-compatible servers: AWS Signature Version 4, single and multipart uploads, reading by ranges, over HTTP/1.1
// on event loops of the caller. Nothing here knows what the objects are for.
