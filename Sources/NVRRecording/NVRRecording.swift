// NVRRecording
