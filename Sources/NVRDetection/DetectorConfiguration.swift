/// A corner of a polygon in the picture: 0…1 from left to right and from top to bottom.
package struct MaskPoint: Hashable, Sendable {
    package var x: Double
    package var y: Double

    package init(x: Double, y: Double) {
        self.x = x
        self.y = y
    }
}

/// What a camera's owner can set about motion detection.
package struct DetectorConfiguration: Hashable, Sendable {
    /// Changed samples of the 320 × 180 picture that are motion when `autoThreshold` is off.
    package var threshold: Int
    /// The scene's own noise sets the level: a thing of 1 % of the picture is found.
    package var autoThreshold: Bool
    /// Analysed pictures with motion that make an event.
    package var minMotionFrames: Int
    /// Time without motion that ends an event.
    package var motionGap: Duration
    /// Polygons whose inside is not looked at.
    package var exclusionMasks: [[MaskPoint]]
    /// A change of more than this part of the picture (1…100 %) from one picture to the next is light, not motion; 0 = off.
    package var lightSwitchPercent: Int
    /// Ignore lone changed samples.
    package var despeckle: Bool

    package init(
        threshold: Int = 1500, autoThreshold: Bool = true, minMotionFrames: Int = 2, motionGap: Duration = .seconds(10),
        exclusionMasks: [[MaskPoint]] = [], lightSwitchPercent: Int = 40, despeckle: Bool = true
    ) {
        self.threshold = threshold
        self.autoThreshold = autoThreshold
        self.minMotionFrames = minMotionFrames
        self.motionGap = motionGap
        self.exclusionMasks = exclusionMasks
        self.lightSwitchPercent = lightSwitchPercent
        self.despeckle = despeckle
    }
}
