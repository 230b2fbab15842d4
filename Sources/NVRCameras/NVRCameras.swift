// NVRCameras
