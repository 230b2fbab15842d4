// NVRRecording owns footage on disk: it cuts streams into segments, writes and indexes them, finishes what a crash interrupted,
// gives them back as playable media and removes them. File names are known here alone.
