// What belongs here: cameras played on to RTSP clients (recorders, players), from the hubs, with the rights of users. Nothing here
// reads a camera or touches the disk.
