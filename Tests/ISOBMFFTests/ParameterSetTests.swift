import ISOBMFF
import Testing

@Suite("Parameter sets")
struct ParameterSetTests {
    @Test("An H.264 SPS tells size after cropping, frame rate, pixel shape and reordering")
    func h264() throws {
        let high = try H264SPS(nalUnit: ParameterSets.highSPS)
        #expect(high.picture == PictureFormat(width: 1920, height: 1080, pixelAspect: PixelAspect(), frameRate: 25, mayReorder: true))
        #expect((high.profile, high.constraints, high.level) == (100, 0, 40))
        #expect(high.reorderFrames == 2)
        let baseline = try H264SPS(nalUnit: ParameterSets.baselineSPS)
        #expect(baseline.picture == PictureFormat(width: 640, height: 360, pixelAspect: PixelAspect(), frameRate: 15, mayReorder: false))
        #expect(baseline.pictureOrderCountType == 2)
        let interlaced = try H264SPS(nalUnit: ParameterSets.interlacedSPS)
        let wide = PixelAspect(horizontal: 16, vertical: 11)
        #expect(interlaced.picture == PictureFormat(width: 720, height: 576, pixelAspect: wide, frameRate: 25, mayReorder: true))
        #expect(!interlaced.framesOnly)
        let high422 = try H264SPS(nalUnit: ParameterSets.high422SPS)
        #expect(high422.picture.width == 1280 && high422.picture.height == 720)
        #expect((high422.chromaFormat, high422.lumaBitDepth, high422.chromaBitDepth) == (2, 10, 10))
        #expect(abs((high422.picture.frameRate ?? 0) - 30000.0 / 1001) < 0.0001)
        #expect(!high422.picture.mayReorder)
    }

    @Test("An H.264 SPS whose usability information is cut off still tells the size")
    func h264Cut() throws {
        let whole = ParameterSets.highSPS
        let cut = try H264SPS(nalUnit: Array(whole.prefix(14)))
        #expect(cut.picture.width == 1920 && cut.picture.height == 1080)
        #expect(cut.picture.mayReorder)
        #expect(throws: ISOBMFFError.self) { try H264SPS(nalUnit: Array(whole.prefix(7))) }
        #expect(throws: ISOBMFFError.self) { try H264SPS(nalUnit: ParameterSets.highPPS) }
        #expect(throws: ISOBMFFError.self) { try H264SPS(nalUnit: []) }
    }

    @Test("An H.265 SPS tells size after cropping, frame rate, pixel shape and reordering")
    func h265() throws {
        let main = try H265SPS(nalUnit: ParameterSets.mainSPS)
        #expect(main.picture == PictureFormat(width: 1920, height: 1080, pixelAspect: PixelAspect(), frameRate: 25, mayReorder: true))
        #expect((main.profile.profile, main.profile.level, main.chromaFormat, main.lumaBitDepth) == (1, 120, 1, 8))
        let main10 = try H265SPS(nalUnit: ParameterSets.main10SPS)
        let aspect = PixelAspect(horizontal: 12, vertical: 11)
        #expect(main10.picture == PictureFormat(width: 642, height: 362, pixelAspect: aspect, frameRate: 12.5, mayReorder: false))
        #expect((main10.profile.profile, main10.profile.level, main10.lumaBitDepth, main10.chromaBitDepth) == (2, 63, 10, 10))
        #expect(try H265VPS(nalUnit: ParameterSets.mainVPS).profile == main.profile)
        #expect(try H265VPS(nalUnit: ParameterSets.main10VPS).profile == main10.profile)
    }

    @Test("Codec strings are those of RFC 6381")
    func codecStrings() {
        #expect(ParameterSets.avc.codecString == "avc1.640028")
        #expect(ParameterSets.avcSmall.codecString == "avc1.42C016")
        #expect(ParameterSets.hevc.codecString == "hvc1.1.6.L120.90")
        let main10 = VideoSampleEntry.hevc(vps: [ParameterSets.main10VPS], sps: [ParameterSets.main10SPS], pps: [])
        #expect(main10.codecString == "hvc1.2.4.L63.90")
        #expect(VideoSampleEntry.mjpeg(width: 640, height: 480).codecString == "mp4v.6C")
        #expect(ParameterSets.aac.codecString == "mp4a.40.2")
        #expect(AudioSampleEntry.aac(audioSpecificConfig: [0x2B, 0x11, 0x88, 0x00]).codecString == "mp4a.40.5")
        #expect(AudioSampleEntry.opus(channels: 2, preSkip: 312, sampleRate: 16000).codecString == "opus")
    }

    @Test("Entries with unreadable parameter sets have no size instead of an error")
    func unreadable() {
        for entry in [VideoSampleEntry.avc(sps: [], pps: []), .avc(sps: [[0x67]], pps: []), .hevc(vps: [], sps: [[0x42, 1, 9]], pps: [])] {
            #expect(entry.width == 0 && entry.height == 0 && entry.frameRate == nil && entry.mayReorder)
        }
        #expect(AudioSampleEntry.aac(audioSpecificConfig: []).sampleRate == 0)
        #expect(AudioSampleEntry.aac(audioSpecificConfig: [0xFF]).channels == 0)
    }

    @Test("Decoder configuration records give their parameter sets back")
    func configurationRecords() throws {
        let avc = try AVCConfiguration.parameterSets(
            AVCConfiguration.bytes(sps: [ParameterSets.highSPS, ParameterSets.baselineSPS], pps: [ParameterSets.highPPS]))
        #expect(avc.sps == [ParameterSets.highSPS, ParameterSets.baselineSPS] && avc.pps == [ParameterSets.highPPS])
        let record = HEVCConfiguration.bytes(vps: [ParameterSets.mainVPS], sps: [ParameterSets.mainSPS], pps: [ParameterSets.mainPPS])
        #expect(Array(record.prefix(13)) == [1, 1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 120])
        let hevc = try HEVCConfiguration.parameterSets(record)
        #expect(hevc.vps == [ParameterSets.mainVPS] && hevc.sps == [ParameterSets.mainSPS] && hevc.pps == [ParameterSets.mainPPS])
        var shortLengths = AVCConfiguration.bytes(sps: [ParameterSets.highSPS], pps: [])
        shortLengths[4] = 0xFD
        #expect(throws: ISOBMFFError.unsupported("NAL unit length size")) { try AVCConfiguration.parameterSets(shortLengths) }
    }

    @Test("An AudioSpecificConfig tells type, rate and channels, also with SBR, escapes and a program config element")
    func audio() throws {
        let plain = try AudioSpecificConfig(bytes: [0x12, 0x10])
        #expect((plain.objectType, plain.sampleRate, plain.channels, plain.samplesPerFrame) == (2, 44100, 2, 1024))
        #expect(plain.extensionSampleRate == nil)
        // HE-AAC, explicit: SBR over LC at 24 kHz.
        let explicit = try AudioSpecificConfig(bytes: [0x2B, 0x11, 0x88, 0x00])
        #expect((explicit.objectType, explicit.sampleRate, explicit.outputSampleRate, explicit.channels) == (5, 24000, 48000, 2))
        // HE-AAC, backward compatible.
        let compatible = try AudioSpecificConfig(bytes: [0x13, 0x10, 0x56, 0xE5, 0x98])
        #expect((compatible.objectType, compatible.sampleRate, compatible.outputSampleRate) == (2, 24000, 48000))
        // Object type LC, 16 kHz, channels by a program config element with one front pair and one LFE.
        let program = try AudioSpecificConfig(bytes: [0x14, 0x00, 0x05, 0x04, 0x00, 0x20, 0x20, 0x00, 0x00])
        #expect(program.sampleRate == 16000)
        for rate in [8000, 11025, 16000, 44100, 48000, 96000, 12345] {
            for channels in [1, 2, 6, 8] {
                let parsed = try AudioSpecificConfig(bytes: AudioSpecificConfig.bytes(sampleRate: rate, channels: channels))
                #expect((parsed.objectType, parsed.sampleRate, parsed.channels) == (2, rate, channels))
            }
        }
        #expect(AudioSpecificConfig.bytes(sampleRate: 44100, channels: 2) == [0x12, 0x10])
        #expect(throws: ISOBMFFError.self) { try AudioSpecificConfig(bytes: [0x12]) }
        #expect(throws: ISOBMFFError.self) { try AudioSpecificConfig(bytes: [0x16, 0x90]) }
    }
}
