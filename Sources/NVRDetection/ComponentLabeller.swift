/// A connected piece of the foreground, in cells; edges are inclusive.
struct Component: Hashable, Sendable {
    var area: Int
    var active: Int
    var left: Int
    var right: Int
    var top: Int
    var bottom: Int

    mutating func merge(_ other: Component) {
        area += other.area
        active += other.active
        left = min(left, other.left)
        right = max(right, other.right)
        top = min(top, other.top)
        bottom = max(bottom, other.bottom)
    }

    /// Something in it changes: what stands still does not move. Whole pictures of a slow thing change at their edges only.
    var isMoving: Bool { active >= 4 && active * 25 >= area }

    /// The boxes are at most `reach` cells apart.
    func isNear(_ other: Component, _ reach: Int) -> Bool {
        left - reach <= other.right && other.left - reach <= right && top - reach <= other.bottom && other.top - reach <= bottom
    }

    var box: PictureBox {
        let (columns, rows) = (Double(AdaptiveBackgroundDetector.columns), Double(AdaptiveBackgroundDetector.rows))
        return PictureBox(
            x: Double(left) / columns, y: Double(top) / rows, width: Double(right - left + 1) / columns, height: Double(bottom - top + 1) / rows)
    }
}

/// Finds the connected pieces of a bitmap by its runs, row by row. Keeps its memory from picture to picture.
struct ComponentLabeller: Hashable, Sendable {
    private struct Run: Hashable {
        var left: Int
        var right: Int
        var label: Int
    }

    /// Cells between two runs of a row, or columns beside, that still count as connected: parts of one thing.
    private static let reach = 2
    /// Smaller pieces are not worth a box.
    private static let leastArea = 8

    private var parents: [Int] = []
    private var components: [Component] = []
    private var above: [Run] = []
    private var present: [Run] = []

    /// All foreground cells, and the moving pieces, largest first.
    mutating func label(_ marks: CellMarks) -> (foreground: Int, moving: [Component]) {
        parents.removeAll(keepingCapacity: true)
        components.removeAll(keepingCapacity: true)
        above.removeAll(keepingCapacity: true)
        var foreground = 0
        marks.cleaned.withUnsafeBytes { cleaned in
            marks.active.withUnsafeBytes { active in
                for row in 0..<marks.rows {
                    present.removeAll(keepingCapacity: true)
                    foreground += collectRuns(cleaned, active, start: marks.origin + row * marks.stride, columns: marks.columns, row: row)
                    connect()
                    swap(&above, &present)
                }
            }
        }
        guard !components.isEmpty else { return (foreground, []) }
        for label in components.indices.reversed() {
            let root = find(label)
            if root != label { components[root].merge(components[label]) }
        }
        let moving = components.indices.filter { parents[$0] == $0 && components[$0].area >= Self.leastArea && components[$0].isMoving }
            .map { components[$0] }.sorted { $0.area > $1.area }
        return (foreground, moving)
    }

    private mutating func collectRuns(
        _ cleaned: UnsafeRawBufferPointer, _ active: UnsafeRawBufferPointer, start: Int, columns: Int, row: Int
    ) -> Int {
        var total = 0
        var x = 0
        while x < columns {
            // Eight empty cells at once; columns are a multiple of 16.
            if x & 7 == 0, cleaned.loadUnaligned(fromByteOffset: start + x, as: UInt64.self) == 0 {
                x += 8
                continue
            }
            guard cleaned[start + x] != 0 else {
                x += 1
                continue
            }
            let left = x
            var changing = 0
            while x < columns, cleaned[start + x] != 0 {
                changing += Int(active[start + x])
                x += 1
            }
            total += x - left
            add(Component(area: x - left, active: changing, left: left, right: x - 1, top: row, bottom: row))
        }
        return total
    }

    private mutating func add(_ component: Component) {
        if let last = present.last, component.left - last.right <= Self.reach + 1 {
            components[last.label].merge(component)
            present[present.count - 1].right = component.right
            return
        }
        let label = components.count
        components.append(component)
        parents.append(label)
        present.append(Run(left: component.left, right: component.right, label: label))
    }

    /// Joins the runs of this row with those above that they touch.
    private mutating func connect() {
        var first = 0
        for run in present {
            while first < above.count, above[first].right + Self.reach < run.left { first += 1 }
            var index = first
            while index < above.count, above[index].left <= run.right + Self.reach {
                join(above[index].label, run.label)
                index += 1
            }
        }
    }

    private mutating func find(_ label: Int) -> Int {
        var root = label
        while parents[root] != root {
            parents[root] = parents[parents[root]]
            root = parents[root]
        }
        return root
    }

    /// The smaller label becomes the root, so that a pass from the last label to the first merges everything.
    private mutating func join(_ a: Int, _ b: Int) {
        let (x, y) = (find(a), find(b))
        parents[max(x, y)] = min(x, y)
    }
}
