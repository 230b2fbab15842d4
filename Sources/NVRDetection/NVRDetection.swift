// NVRDetection
