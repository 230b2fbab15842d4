// Checks of single values, as lax as pydantic v2 is and in its words (docs.pydantic.dev, "Conversion table" and "Validation errors").

/// Reads one value of a JSON body, query or form leniently, or says what is wrong with it.
package enum FieldCheck {
    package typealias Outcome<Value> = Result<Value, FieldProblems>

    private static func problem<Value>(
        _ type: String, _ msg: String, _ input: JSONValue, _ loc: [FieldProblem.Step], ctx: JSONValue? = nil
    ) -> Outcome<Value> {
        .failure(FieldProblems([FieldProblem(type: type, loc: loc, msg: msg, input: input, ctx: ctx)]))
    }

    /// true, 1, "true", "yes", "on", … and their opposites.
    package static func boolean(_ value: JSONValue, loc: [FieldProblem.Step]) -> Outcome<Bool> {
        switch value {
        case .bool(let flag): return .success(flag)
        case .integer(0), .number(0): return .success(false)
        case .integer(1), .number(1): return .success(true)
        case .string(let text):
            switch text.lowercased() {
            case "0", "off", "f", "false", "n", "no": return .success(false)
            case "1", "on", "t", "true", "y", "yes": return .success(true)
            default: break
            }
            fallthrough
        case .integer: return problem("bool_parsing", "Input should be a valid boolean, unable to interpret input", value, loc)
        default: return problem("bool_type", "Input should be a valid boolean", value, loc)
        }
    }

    /// 5, 5.0, "5", true; then the limits.
    package static func integer(_ value: JSONValue, limits: ClosedRange<Int>, loc: [FieldProblem.Step]) -> Outcome<Int> {
        let number: Int
        switch value {
        case .integer(let integer): number = Int(integer)
        case .bool(let flag): number = flag ? 1 : 0
        case .number(let double):
            guard double == double.rounded() else {
                return problem("int_from_float", "Input should be a valid integer, got a number with a fractional part", value, loc)
            }
            guard abs(double) < 9e18 else {
                return problem("int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size", value, loc)
            }
            number = Int(double)
        case .string(let text):
            guard let parsed = parseInteger(text) else {
                return problem("int_parsing", "Input should be a valid integer, unable to parse string as an integer", value, loc)
            }
            number = parsed
        default: return problem("int_type", "Input should be a valid integer", value, loc)
        }
        if number < limits.lowerBound { return tooSmall(JSONValue(limits.lowerBound), "\(limits.lowerBound)", value, loc) }
        if number > limits.upperBound { return tooLarge(JSONValue(limits.upperBound), "\(limits.upperBound)", value, loc) }
        return .success(number)
    }

    /// 0.5, 1, "0.5", true; then the limits.
    package static func number(_ value: JSONValue, limits: ClosedRange<Double>, loc: [FieldProblem.Step]) -> Outcome<Double> {
        let number: Double
        switch value {
        case .integer(let integer): number = Double(integer)
        case .number(let double): number = double
        case .bool(let flag): number = flag ? 1 : 0
        case .string(let text):
            guard let parsed = parseNumber(text) else {
                return problem("float_parsing", "Input should be a valid number, unable to parse string as a number", value, loc)
            }
            number = parsed
        default: return problem("float_type", "Input should be a valid number", value, loc)
        }
        guard number.isFinite else { return problem("finite_number", "Input should be a finite number", value, loc) }
        if number < limits.lowerBound { return tooSmall(.number(limits.lowerBound), plain(limits.lowerBound), value, loc) }
        if number > limits.upperBound { return tooLarge(.number(limits.upperBound), plain(limits.upperBound), value, loc) }
        return .success(number)
    }

    /// A string of a length in characters, without control characters when `isPlain`.
    package static func text(
        _ value: JSONValue, length: ClosedRange<Int>, isPlain: Bool = true, loc: [FieldProblem.Step]
    ) -> Outcome<String> {
        guard case .string(let text) = value else { return problem("string_type", "Input should be a valid string", value, loc) }
        // A character may be many bytes of combining marks: bytes are bounded first.
        let count = text.utf8.count > 16 * length.upperBound ? text.utf8.count : text.count
        if count < length.lowerBound {
            let least = length.lowerBound
            return problem(
                "string_too_short", "String should have at least \(least) character\(least == 1 ? "" : "s")", value, loc,
                ctx: ["min_length": JSONValue(least)])
        }
        if count > length.upperBound {
            let most = length.upperBound
            return problem(
                "string_too_long", "String should have at most \(most) character\(most == 1 ? "" : "s")", value, loc,
                ctx: ["max_length": JSONValue(most)])
        }
        if isPlain, text.unicodeScalars.contains(where: isControl) {
            return .failure(FieldProblems([.value(loc, "control characters are not allowed", input: value)]))
        }
        return .success(text)
    }

    /// One of some texts, exactly.
    package static func choice(_ value: JSONValue, of choices: [String], loc: [FieldProblem.Step]) -> Outcome<String> {
        if case .string(let text) = value, choices.contains(text) { return .success(text) }
        let expected = listing(choices.map { "'\($0)'" })
        return problem("literal_error", "Input should be " + expected, value, loc, ctx: ["expected": .string(expected)])
    }

    static func integerChoice(_ value: JSONValue, of choices: [Int], loc: [FieldProblem.Step]) -> Outcome<Int> {
        switch integer(value, limits: .min ... .max, loc: loc) {
        case .success(let number) where choices.contains(number): return .success(number)
        case .success:
            let expected = listing(choices.map(String.init))
            return problem("literal_error", "Input should be " + expected, value, loc, ctx: ["expected": .string(expected)])
        case .failure(let failure): return .failure(failure)
        }
    }

    static func labels(_ value: JSONValue, loc: [FieldProblem.Step]) -> Outcome<[String]> {
        guard case .array(let elements) = value else { return problem("list_type", "Input should be a valid list", value, loc) }
        guard elements.count <= 100 else {
            return problem(
                "too_long", "List should have at most 100 items after validation, not \(elements.count)", .null, loc,
                ctx: ["field_type": "List", "max_length": 100, "actual_length": JSONValue(elements.count)])
        }
        var labels: [String] = []
        var problems: [FieldProblem] = []
        for (index, element) in elements.enumerated() {
            switch text(element, length: 1...64, loc: loc + [.index(index)]) {
            case .success(let label): labels.append(label)
            case .failure(let failure): problems += failure.problems
            }
        }
        return problems.isEmpty ? .success(labels) : .failure(FieldProblems(problems))
    }

    private static func tooSmall<Value>(
        _ bound: JSONValue, _ text: String, _ value: JSONValue, _ loc: [FieldProblem.Step]
    ) -> Outcome<Value> {
        problem("greater_than_equal", "Input should be greater than or equal to " + text, value, loc, ctx: ["ge": bound])
    }

    private static func tooLarge<Value>(
        _ bound: JSONValue, _ text: String, _ value: JSONValue, _ loc: [FieldProblem.Step]
    ) -> Outcome<Value> {
        problem("less_than_equal", "Input should be less than or equal to " + text, value, loc, ctx: ["le": bound])
    }

    private static func plain(_ number: Double) -> String {
        number == number.rounded() && abs(number) < 1e15 ? String(Int(number)) : number.description
    }

    /// A decimal number; Swift also reads hexadecimal ones, which nobody else means.
    static func parseNumber(_ text: String) -> Double? {
        guard text.utf8.count <= 64, !text.utf8.contains(where: { $0 | 0x20 == UInt8(ascii: "x") }) else { return nil }
        return Double(trimmed(text))
    }

    private static func parseInteger(_ text: String) -> Int? {
        guard text.utf8.count <= 64 else { return nil }
        let text = trimmed(text)
        if let number = Int(text) { return number }
        // "5.0" is an integer to pydantic, "5." and "5.5" are not.
        guard let dot = text.firstIndex(of: "."), text[text.index(after: dot)...].utf8.contains(UInt8(ascii: "0")),
            text[text.index(after: dot)...].utf8.allSatisfy({ $0 == UInt8(ascii: "0") })
        else { return nil }
        return Int(text[..<dot])
    }

    private static func listing(_ items: [String]) -> String {
        guard items.count > 1, let last = items.last else { return items.first ?? "" }
        return items.dropLast().joined(separator: ", ") + " or " + last
    }
}

extension CameraField {
    /// The value as `write` takes it, or what is wrong with what was sent.
    func check(_ value: JSONValue, loc: [FieldProblem.Step], rules: CameraURL.Rules) -> Result<JSONValue, FieldProblems> {
        if case .null = value, isNullable { return .success(defaultValue) }
        switch kind {
        case .server: return .success(.null)
        case .boolean: return FieldCheck.boolean(value, loc: loc).map { .bool($0) }
        case .integer(let limits): return FieldCheck.integer(value, limits: limits, loc: loc).map { JSONValue($0) }
        case .integerChoice(let choices): return FieldCheck.integerChoice(value, of: choices, loc: loc).map { JSONValue($0) }
        case .number(let limits): return FieldCheck.number(value, limits: limits, loc: loc).map { .number($0) }
        case .text(let most): return FieldCheck.text(value, length: 0...most, loc: loc).map { .string($0) }
        case .name:
            if case .string(let text) = value, text.utf8.count <= 10_000 {
                return FieldCheck.text(.string(trimmed(text)), length: 1...100, loc: loc).map { .string($0) }
            }
            return FieldCheck.text(value, length: 1...100, loc: loc).map { .string($0) }
        case .choice(let choices): return FieldCheck.choice(value, of: choices, loc: loc).map { .string($0) }
        case .labels: return FieldCheck.labels(value, loc: loc).map { .array($0.map(JSONValue.string)) }
        case .timeOfDay:
            guard case .string(let text) = value else { return FieldCheck.text(value, length: 5...5, loc: loc).map { .string($0) } }
            if TimeOfDay(text) != nil { return .success(value) }
            return .failure(FieldProblems([.value(loc, "time must be written HH:MM", input: value)]))
        case .url(let schemes):
            guard case .string(let text) = value else { return FieldCheck.text(value, length: 0...1, loc: loc).map { .string($0) } }
            // Forms send an empty text for a field that was left empty.
            if isNullable, trimmed(text).isEmpty { return .success(.null) }
            switch CameraURL.check(text, schemes: schemes, rules: rules) {
            case .success(let url): return .success(.string(url))
            case .failure(let refusal): return .failure(FieldProblems([.value(loc, refusal.message, input: value)]))
            }
        case .filePattern:
            guard case .string(let text) = value else { return FieldCheck.text(value, length: 0...1, loc: loc).map { .string($0) } }
            if let refusal = FilePattern.refusal(of: text) { return .failure(FieldProblems([.value(loc, refusal, input: value)])) }
            return .success(value)
        case .masks, .unavailableMasks:
            switch value {
            case .string, .array: break
            default: return FieldCheck.text(value, length: 0...1, loc: loc).map { .string($0) }
            }
            switch Mask.list(from: value) {
            case .failure(let error): return .failure(FieldProblems([.value(loc, error.message, input: value)]))
            case .success(let masks):
                if kind == .unavailableMasks, !masks.isEmpty {
                    return .failure(
                        FieldProblems([
                            .value(
                                loc, "burned-in privacy masks are not available yet; nothing would be hidden in recordings", input: value)
                        ]))
                }
                return .success(.string(Mask.text(of: masks)))
            }
        }
    }
}
