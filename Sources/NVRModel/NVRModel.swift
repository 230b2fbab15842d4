// NVRModel holds values only: cameras, streams, segments, events, users, ids and time; no I/O, no `async`, nothing that waits.
