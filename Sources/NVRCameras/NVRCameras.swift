// NVRCameras runs cameras: it connects sources, hubs, recorders and detectors of each, and keeps what runs equal to what the
// database wishes.
