// What belongs in NVRDetection: from decoded pictures to "something happened": detectors, masks, pace, and the event state machine.
//
// The way of a picture: AnalysisPace says whether it is looked at; a LumaScaler makes a LumaPicture of it; a Detector reads
// it; an EventTracker makes events of the readings. All of it is values: time comes in with the picture.
