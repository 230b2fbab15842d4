// NVRWeb
