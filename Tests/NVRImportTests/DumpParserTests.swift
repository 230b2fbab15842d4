import NVRImport
import Testing

@Suite("Dumps of PostgreSQL")
struct DumpParserTests {
    private struct Found: Equatable {
        var rows: [[String?]] = []
        var columns: [[String]] = []
        var problems: [String] = []
    }

    private func parse(_ text: String, tables: Set<String> = ["events", "users"], chunk: Int = .max) -> Found {
        var parser = DumpParser(tables: tables)
        var found = Found()
        func take(_ output: DumpParser.Output) {
            switch output {
            case .row(_, let columns, let values, _):
                found.rows.append(values)
                found.columns.append(columns)
            case .problem(let line, let text): found.problems.append("\(line): \(text)")
            }
        }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            parser.feed(Array(rest.prefix(chunk)), take)
            rest = rest.dropFirst(chunk)
        }
        parser.finish(take)
        return found
    }

    @Test("rows of COPY have their escapes undone and \\N is null")
    func copy() {
        let text = """
            COPY public.events (id, file_path, "ai_metadata", note) FROM stdin;
            1\ta\\tb\\nc\\\\d\t\\N\t\\x41\\102\\v
            2\t\t{"a": "\\\\N"}\t\\q
            \\.
            SELECT 1;
            """
        let found = parse(text)
        #expect(found.problems.isEmpty)
        #expect(found.columns.first == ["id", "file_path", "ai_metadata", "note"])
        #expect(found.rows == [["1", "a\tb\nc\\d", nil, "AB\u{0B}"], ["2", "", "{\"a\": \"\\N\"}", "q"]])
    }

    @Test("the pieces in which a file is read make no difference", arguments: [1, 2, 7, 64])
    func pieces(chunk: Int) {
        let text = """
            -- a comment; with a semicolon
            \\restrict abc
            SET client_encoding = 'UTF8';
            CREATE FUNCTION f() RETURNS text AS $_$ begin; 'x; $$ $_$ LANGUAGE sql;
            CREATE TABLE public.users (
                id integer NOT NULL,
                username character varying DEFAULT 'a,b(' COLLATE "C",
                CONSTRAINT named CHECK ((id > 0)),
                created_at timestamp with time zone DEFAULT now()
            );
            INSERT INTO public.users VALUES (1, 'it''s; ü', '2026-02-21 12:00:00+00');
            COPY public.other (id) FROM stdin;
            1
            INSERT INTO public.users VALUES (9, 'no', NULL);
            \\.
            /* nested /* comment; */ ; */ COPY public.events (id) FROM stdin;
            5
            \\.
            """
        let found = parse(text, chunk: chunk)
        #expect(found.problems.isEmpty)
        #expect(found.rows == [["1", "it's; ü", "2026-02-21 12:00:00+00"], ["5"]])
        #expect(found.columns.first == ["id", "username", "created_at"])
    }

    @Test("rows of INSERT: several of them, casts, arrays, escapes, numbers, and texts over several lines")
    func insert() {
        let text = """
            INSERT INTO "public"."users" ("id", name, "a", b, c) VALUES
                (-1.5e3, E'tab\\t\\'q\\'', ARRAY['x"y', NULL]::text[], true, NULL::character varying(20)),
                (2, 'two
            lines; and -- no comment', '{"a","b"}'::jsonb, FALSE, DEFAULT) ON CONFLICT DO NOTHING;
            """
        let found = parse(text)
        #expect(found.problems.isEmpty)
        #expect(
            found.rows == [
                ["-1.5e3", "tab\t'q'", "{\"x\\\"y\",NULL}", "t", nil], ["2", "two\nlines; and -- no comment", "{\"a\",\"b\"}", "f", nil],
            ])
    }

    @Test("old dumps with backslashes in plain texts, and others in Latin 1")
    func old() {
        let found = parse("SET standard_conforming_strings = off;\nINSERT INTO users (id, name) VALUES (1, 'a\\'b\\n');\n")
        #expect(found.rows == [["1", "a'b\n"]])
        var parser = DumpParser(tables: ["users"])
        var names: [String?] = []
        parser.feed(Array("SET client_encoding = 'LATIN1';\nCOPY users (name) FROM stdin;\n".utf8) + [0xE4, 0x0A, 0x5C, 0x2E, 0x0A]) {
            if case .row(_, _, let values, _) = $0 { names += values }
        }
        #expect(names == ["ä"])
    }

    @Test("what cannot be understood is told with its line, and the rest is read")
    func problems() {
        let text = """
            COPY events (id, a) FROM stdin;
            1\tx\ty
            2\tz
            \\.
            INSERT INTO users (id) VALUES (nextval('x'));
            INSERT INTO users VALUES (1);
            INSERT INTO users (id) VALUES (3);
            COPY users (id) FROM stdin WITH (FORMAT csv);
            4
            \\.
            COPY users (id) FROM stdin;
            """
        let found = parse(text)
        #expect(found.rows == [["2", "z"], ["3"]])
        #expect(found.problems.map { String($0.prefix { $0 != ":" }) } == ["2", "5", "6", "8", "11"])
    }

    @Test("files from Windows and lines without end")
    func lines() {
        #expect(parse("COPY users (id, a) FROM stdin;\r\n1\tx\\r\r\n\\.\r\n").rows == [["1", "x\r"]])
        let long = "COPY users (a) FROM stdin;\n" + String(repeating: "x", count: DumpParser.longest + 10) + "\nshort\n\\.\n"
        let found = parse(long, chunk: 1 << 20)
        #expect(found.rows == [["short"]])
        #expect(found.problems.count == 1)
        let statement = "INSERT INTO users (a) VALUES ('" + String(repeating: "y\n", count: DumpParser.longest / 2 + 10) + "');\n"
        #expect(parse(statement, chunk: 1 << 20).rows.isEmpty)
    }

    @Test("damaged dumps crash nothing")
    func damage() {
        let text = """
            CREATE TABLE users (id integer, "na""me" text, x numeric(10,2)[]);
            INSERT INTO users VALUES (1, E'\\\\\\x4', ARRAY[1,2]::int[]), (2, $$a$$, NULL);
            COPY events (id, a) FROM stdin;
            1\t\\
            2\t\\x
            \\.
            """
        var state: UInt64 = 42
        func random() -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33)
        }
        let bytes = Array(text.utf8)
        let marks = Array("'\"\\$();,-/*\n\t.E:[]\0".utf8)
        for _ in 0..<3000 {
            var damaged = bytes
            for _ in 0..<(1 + random() % 6) {
                let place = random() % damaged.count
                switch random() % 3 {
                case 0: damaged[place] = marks[random() % marks.count]
                case 1: damaged.remove(at: place)
                default: damaged.insert(marks[random() % marks.count], at: place)
                }
            }
            var parser = DumpParser(tables: ["users", "events"])
            parser.feed(damaged) { _ in }
            parser.finish { _ in }
        }
    }
}
