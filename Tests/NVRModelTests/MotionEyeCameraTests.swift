import NVRModel
import Testing

@Suite struct MotionEyeCameraTests {
    @Test("A camera of the network takes its settings along, in the units of this server")
    func whole() throws {
        let camera = MotionEyeCamera.exported(
            """
            # @name Front Door
            # @enabled on
            # @proto netcam
            ; a comment
            # another comment
            netcam_url rtsp://10.0.0.9:554/low
            netcam_high_url rtsp://10.0.0.9:554/high
            netcam_userpass user:p@ss
            netcam_use_tcp off
            width 1280
            height 720
            framerate 10
            rotate 180
            threshold 9216
            event_gap 30
            pre_capture 50
            post_capture 100
            minimum_motion_frames 20
            lightswitch_percent 40
            noise_tune on
            despeckle_filter EedDl
            emulate_motion off
            movie_output on
            movie_max_time 20
            movie_filename /%Y-%m-%d/%H-%M-%S
            picture_filename ../%H
            text_left Front\\nDoor
            # @preserve_movies 20
            # @preserve_pictures 0
            # @working_schedule 08:00-17:00|08:00-17:00||00:00-23:59|x-y|22:00-06:00|00:00-00:01
            # @working_schedule_type during
            """)
        let candidate = CameraTransfer.candidate(camera, rules: .init(), place: 0)
        #expect(candidate.problems.isEmpty, "\(candidate.problems)")
        let made = candidate.camera
        #expect(made.general.name == "Front Door" && made.general.isActive && made.streams.transport == .udp)
        #expect(made.streams.url == "rtsp://user:p%40ss@10.0.0.9:554/high" && made.streams.subURL == "rtsp://user:p%40ss@10.0.0.9:554/low")
        #expect(made.streams.width == 1280 && made.streams.framerate == 10 && made.streams.rotation == 180)
        #expect(made.detection.threshold == 576 && made.detection.motionGap == 30 && made.detection.minMotionFrames == 20)
        #expect(made.recording.capturedBefore == 5 && made.recording.capturedAfter == 10 && made.recording.maxLength == 60)
        #expect(made.recording.fileName == "%Y-%m-%d/%H-%M-%S" && made.pictures.fileName == "%Y-%m-%d/%H-%M-%S-%q")
        #expect(made.recording.preserve == "For One Month" && made.pictures.preserve == "Forever" && made.recording.mode == .motionTriggered)
        #expect(made.detection.mode == "Working Schedule" && made.schedule.monday.start.text == "08:00" && made.schedule.saturday.end.text == "06:00")
        #expect(!made.schedule.wednesday.isEnabled && !made.schedule.friday.isEnabled && made.schedule.thursday.isEnabled)
        #expect(made.detection.lightSwitch == 40 && made.detection.despeckle && made.detection.autoNoise)
    }

    @Test("Other ways of reading and recording are understood")
    func variants() {
        func camera(_ lines: String...) -> JSONValue { MotionEyeCamera.exported(lines.joined(separator: "\n")) }
        #expect(camera("netcam_url mjpeg://10.0.0.1/x")["rtsp_url"] == "http://10.0.0.1/x")
        #expect(camera("# @proto mjpeg", "# @url http://10.0.0.1:8081/")["rtsp_url"] == "http://10.0.0.1:8081/")
        #expect(camera("videodevice /dev/video0")["rtsp_url"] == nil)
        #expect(camera("emulate_motion on")["recording_mode"] == "Continuous")
        #expect(camera("ffmpeg_output_movies off", "emulate_motion on")["recording_mode"] == "Off")
        #expect(camera("# @motion_detection off", "# @working_schedule a|b|c|d|e|f|g")["detect_motion_mode"] == "Off")
        #expect(camera("netcam_url rtsp://a:b@10.0.0.1/x", "netcam_userpass c:d")["rtsp_url"] == "rtsp://a:b@10.0.0.1/x")
        #expect(camera("threshold 1e300", "width nan", "framerate -5", "rotate 45")["rotation"] == nil)
        #expect(camera("")["name"] == "motionEye")
    }

    @Test("Files of a backup are told by their names")
    func names() {
        for name in ["camera-1.conf", "./camera-12.conf", "etc/thread-1.conf", "camera_2.conf"] { #expect(MotionEyeCamera.isCamera(name)) }
        for name in ["motion.conf", "camera-1.pgm", "motioneye.conf", "", "camera-1.conf/x"] { #expect(!MotionEyeCamera.isCamera(name)) }
    }

    @Test("Hostile text makes a camera or problems, and never ends the program")
    func hostile() {
        var generator = SystemRandomNumberGenerator()
        let words = [
            "netcam_url ", "rtsp://", "# @", "name", "\n", "width ", "99999999999999999999", "-", "|", ":", "@working_schedule ", "é", "\u{0}", "%",
            " ",
        ]
        for _ in 0..<2000 {
            let text = (0..<30).map { _ in words[Int.random(in: 0..<words.count, using: &generator)] }.joined()
            _ = CameraTransfer.candidate(MotionEyeCamera.exported(text), rules: .init(), place: 0)
        }
    }
}
