/// A rectangle in the picture; all values from 0 to 1, the origin is the upper left corner.
package struct PictureBox: Hashable, Sendable {
    package var x: Double
    package var y: Double
    package var width: Double
    package var height: Double

    package init(x: Double, y: Double, width: Double, height: Double) {
        self.x = x
        self.y = y
        self.width = width
        self.height = height
    }
}

/// What a detector says of one picture.
package struct MotionReading: Hashable, Sendable {
    /// The picture shows motion in the sense of the configuration.
    package var isMotion: Bool
    /// Samples of the 320 × 180 picture that belong to something moving, outside the exclusion masks.
    package var changedPixels: Int
    /// 0…1: how good a picture of the motion this is, to choose one to show; 0 without motion.
    package var score: Double
    /// What moved, largest first, at most eight.
    package var boxes: [PictureBox]
    /// The light or the whole view changed: there is no telling what moved, and the detector learns the scene anew.
    package var isGlobalChange: Bool

    package init(isMotion: Bool = false, changedPixels: Int = 0, score: Double = 0, boxes: [PictureBox] = [], isGlobalChange: Bool = false) {
        self.isMotion = isMotion
        self.changedPixels = changedPixels
        self.score = score
        self.boxes = boxes
        self.isGlobalChange = isGlobalChange
    }

    /// Nothing moves.
    package static let quiet = MotionReading()
}

/// Finds motion in a camera's pictures. One detector per camera; it remembers the scene. A value without threads or clocks:
/// whoever owns it decides where it runs.
package protocol Detector: Sendable {
    /// Reads the next picture of the camera.
    ///
    /// - Parameter time: microseconds on the stream's time line; need not be regular, and may jump.
    mutating func analyse(_ picture: borrowing LumaPicture, at time: Int64) -> MotionReading

    /// Forgets the scene, as after a change of the camera.
    mutating func reset()
}
