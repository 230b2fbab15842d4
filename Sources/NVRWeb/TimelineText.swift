import NVRModel
import NVRRecording
import NVRStore

/// The answer of a timeline as JSON. Written by hand: tens of thousands of numbers are one answer, and most of them are small. Pure.
struct TimelineText {
    private var out: [UInt8] = []
    /// What is known of the reasons that were written: many gaps have the same.
    private var reasons: [String: (code: [UInt8], parameters: [UInt8])] = [:]

    static func bytes(_ timeline: Timeline, camerasLeftOut: Int) -> [UInt8] {
        var text = TimelineText()
        text.out.reserveCapacity(1024 + timeline.cameras.count * timeline.borders.count * 4)
        text.write(timeline, camerasLeftOut)
        return text.out
    }

    private mutating func write(_ timeline: Timeline, _ camerasLeftOut: Int) {
        let borders = timeline.borders
        key("start", isFirst: true, opening: "{")
        write(timeline.range.start)
        key("end")
        write(timeline.range.end)
        key("now")
        write(timeline.now)
        key("resolution")
        write(Int64(timeline.zoom.resolution))
        key("detail")
        raw(timeline.zoom.isFine ? #""footage""# : #""buckets""#)
        key("bucket_start")
        write(borders.first ?? 0)
        key("bucket_count")
        write(Int64(borders.count - 1))
        key("bucket_borders")
        if timeline.zoom.isUniform { raw("null") } else { list(borders) { $0.write($1) } }
        key("cameras_left_out")
        write(Int64(camerasLeftOut))
        key("cameras")
        list(timeline.cameras) { $0.write($1, borders, timeline.zoom) }
        raw("}")
    }

    private mutating func write(_ camera: Timeline.CameraPart, _ borders: [Int64], _ zoom: TimelineZoom) {
        key("camera_id", isFirst: true, opening: "{")
        write(camera.cameraID.rawValue)
        key("first")
        write(camera.first)
        key("last")
        write(camera.last)
        key("spans")
        if let spans = camera.spans { list(spans) { $0.pair($1.start, $1.end) } } else { raw("null") }
        key("gaps")
        list(camera.gaps) { $0.write($1) }
        key("gaps_cut")
        raw(camera.areGapsCut ? "true" : "false")
        key("buckets")
        key("footage", isFirst: true, opening: "{")
        shares(camera.cells.footage, borders)
        key("motion")
        shares(camera.cells.motion, borders)
        key("events")
        numbers(camera.cells.events)
        key("snapshots")
        numbers(camera.cells.snapshots)
        raw("}")
        key("events")
        if let events = camera.events { list(events) { $0.write($1) } } else { raw("null") }
        raw("}")
    }

    private mutating func write(_ gap: TimelineGap) {
        key("start", isFirst: true, opening: "{")
        write(gap.start)
        key("end")
        write(gap.end)
        key("cause")
        raw("\"" + gap.cause.name + "\"")
        key("reason")
        out += JSONValue(gap.reason).serializedBytes()
        let said = reason(gap.reason)
        key("reason_code")
        out += said.code
        key("reason_parameters")
        out += said.parameters
        raw("}")
    }

    private mutating func reason(_ text: String?) -> (code: [UInt8], parameters: [UInt8]) {
        if let known = reasons[text ?? ""] { return known }
        let reason = text.flatMap { Reason($0) }
        let said = (JSONValue(reason?.code).serializedBytes(), (reason?.parametersJSON ?? .null).serializedBytes())
        reasons[text ?? ""] = said
        return said
    }

    private mutating func write(_ event: TimelineRows.Happening) {
        key("id", isFirst: true, opening: "{")
        write(event.id.rawValue)
        key("type")
        raw("\"" + event.medium.rawValue + "\"")
        key("kind")
        raw("\"" + event.kind.rawValue + "\"")
        key("start")
        write(event.start)
        key("end")
        write(event.end)
        key("score")
        out += JSONValue(event.score).serializedBytes()
        raw("}")
    }

    // MARK: Cells

    /// Thousandths of each cell. 0 and 1000 mean exactly none and all of it. Zeros at the end are left out.
    private mutating func shares(_ cells: [Int64], _ borders: [Int64]) {
        let count = (cells.lastIndex { $0 > 0 } ?? -1) + 1
        raw("[")
        for cell in 0..<count {
            if cell > 0 { out.append(UInt8(ascii: ",")) }
            write(Self.share(of: cells[cell], in: (borders[cell + 1] - borders[cell]) * 1000))
        }
        raw("]")
    }

    static func share(of value: Int64, in whole: Int64) -> Int64 {
        guard value > 0, whole > 0 else { return 0 }
        return value >= whole ? 1000 : min(999, max(1, value * 1000 / whole))
    }

    private mutating func numbers(_ cells: [Int64]) {
        list(cells[..<((cells.lastIndex { $0 > 0 } ?? -1) + 1)]) { $0.write($1) }
    }

    // MARK: JSON

    private mutating func raw(_ text: String) { out.append(contentsOf: text.utf8) }

    private mutating func key(_ name: String, isFirst: Bool = false, opening: String = ",") {
        raw(isFirst ? opening : ",")
        raw("\"" + name + "\":")
    }

    private mutating func list<Elements: Sequence>(_ elements: Elements, _ body: (inout Self, Elements.Element) -> Void) {
        raw("[")
        var isFirst = true
        for element in elements {
            if !isFirst { out.append(UInt8(ascii: ",")) }
            isFirst = false
            body(&self, element)
        }
        raw("]")
    }

    private mutating func pair(_ start: WallTime, _ end: WallTime) {
        raw("[")
        write(start)
        raw(",")
        write(end)
        raw("]")
    }

    private mutating func write(_ number: Int64) {
        guard number >= 10 else {
            if number >= 0 { out.append(UInt8(ascii: "0") + UInt8(number)) } else { raw(String(number)) }
            return
        }
        let start = out.count
        var rest = number
        while rest > 0 {
            out.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        }
        out[start...].reverse()
    }

    /// Seconds since 1970 UTC with three decimals at most.
    private mutating func write(_ time: WallTime?) {
        guard let time else { return raw("null") }
        let millis = time.microseconds.flooredDivision(by: 1000).quotient
        guard millis >= 0 else { return raw(String(Double(millis) / 1000)) }
        write(millis / 1000)
        let rest = millis % 1000
        guard rest > 0 else { return }
        out.append(UInt8(ascii: "."))
        out.append(contentsOf: padded(rest, 3).utf8)
    }
}
