// NVRMedia
