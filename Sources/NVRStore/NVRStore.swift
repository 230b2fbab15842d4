// NVRStore
