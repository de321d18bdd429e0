package filter

import (
	"strings"
	"testing"
)

func TestParseGivesCanonicalText(t *testing.T) {
	for in, want := range map[string]string{
		`channel = Ponce`:                       `"channel" = "Ponce"`,
		`'dog race' = "Bernese Mountain"`:       `"dog race" = "Bernese Mountain"`,
		`colour IN[]`:                           `"colour" IN []`,
		`colour IN[green,]`:                     `"colour" IN ["green"]`,
		` colour NOT  IN [  green , blue , ]`:   `NOT ("colour" IN ["green", "blue"])`,
		`a 1 TO 2`:                              `"a" "1" TO "2"`,
		`a IS NULL`:                             `"a" IS NULL`,
		`a  IS   NOT   EMPTY`:                   `NOT ("a" IS EMPTY)`,
		`NOT a NOT EXISTS`:                      `"a" EXISTS`,
		`a EXISTS`:                              `"a" EXISTS`,
		`a CONTAINS 'x'`:                        `"a" CONTAINS "x"`,
		`a NOT STARTS WITH hel`:                 `NOT ("a" STARTS WITH "hel")`,
		`NOT NOT (NOT NOT x = 5)`:               `"x" = "5"`,
		`a=1 AND b!=2 OR c>3`:                   `(("a" = "1") AND ("b" != "2")) OR ("c" > "3")`,
		`a=1 AND ( b<=2 OR c>=3 )`:              `("a" = "1") AND (("b" <= "2") OR ("c" >= "3"))`,
		`_geoRadius(12, 13,14)`:                 `_geoRadius(12, 13, 14)`,
		`_geoRadius(12,13,14,1000)`:             `_geoRadius(12, 13, 14, 1000)`,
		`_geoBoundingBox([12,13],[14, 15])`:     `_geoBoundingBox([12, 13], [14, 15])`,
		`_geoPolygon([1,2], [3,4], [-1.2,29],)`: `_geoPolygon([1, 2], [3, 4], [-1.2, 29])`,
		`_vectors EXISTS`:                       `_vectors EXISTS`,
		`  _vectors  NOT  EXISTS`:               `NOT (_vectors EXISTS)`,
		`_vectors.e.fragments.f EXISTS`:         `_vectors."e".fragments."f" EXISTS`,
		`_vectors.e.userProvided EXISTS`:        `_vectors."e".userProvided EXISTS`,
		`_foreign(a, b = 1)`:                    `_foreign("a", "b" = "1")`,
		`NOT "OR" EXISTS AND "EXISTS" EXISTS`:   `(NOT ("OR" EXISTS)) AND ("EXISTS" EXISTS)`,
		`t = 'a\'b\x41\u{42}\\'`:                `"t" = "a'bAB\\"`,
		`a = 'x<>&'`:                            `"a" = "x<>&"`,
	} {
		e, err := ParseString(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := e.String(); got != want {
			t.Errorf("%s:\n got %s\nwant %s", in, got, want)
		}
		again, err := ParseString(e.String())
		if err != nil || again.String() != want {
			t.Errorf("%s: canonical text does not read back: %v", in, err)
		}
	}
}

func TestParseRefusesInTheServersWords(t *testing.T) {
	primary := operations
	geoReserved := "` is a reserved keyword and thus can't be used as a filter expression. Use the `_geoRadius(latitude, longitude, distance)` or `_geoBoundingBox([latitude, longitude], [latitude, longitude])` built-in rules to filter on `_geo` coordinates."
	polygon := "The `_geoPolygon` filter doesn't match the expected format: `_geoPolygon([latitude, longitude], [latitude, longitude])`."
	box := "The `_geoBoundingBox` filter expects two pairs of arguments: `_geoBoundingBox([latitude, longitude], [latitude, longitude])`."
	radius := "The `_geoRadius` filter must be in the form: `_geoRadius(latitude, longitude, radius, optionalResolution)`."
	reserved := func(w string) string {
		return "Was expecting a value but instead got `" + w + "`, which is a reserved keyword. To use `" + w + "` as a field name or a value, surround it by quotes."
	}
	vectorOp := "Was expecting an operation like `EXISTS` or `NOT EXISTS` after the vector filter."
	for _, c := range []struct{ in, message, span string }{
		{"channel = Ponce = 12", "Found unexpected characters at the end of the filter: `= 12`. You probably forgot an `OR` or an `AND` rule.", "17:21"},
		{"channel =    ", "Was expecting a value but instead got nothing.", "14:14"},
		{"channel = 🐻 AND followers < 100", "Was expecting a value but instead got `🐻`.", "11:12"},
		{"'OR'", primary + "at `\\'OR\\'`.", "1:5"},
		{"OR", reserved("OR"), "1:3"},
		{"channel Ponce", primary + "at `channel Ponce`.", "1:14"},
		{"channel = Ponce OR", primary + "but instead got nothing.", "19:19"},
		{"_geoRadius", radius, "11:11"},
		{"_geoRadius = 12", radius, "11:16"},
		{"_geoBoundingBox = 12", box, "16:21"},
		{"_geoBoundingBox(1.0, 1.0)", box, "17:26"},
		{"_geoPolygon([1,2,3])", "The `_geoPolygon` filter expects at least 3 points but only 1 were specified", "18:19"},
		{"_geoPolygon(1,2,3)", polygon, "13:19"},
		{"_geoPolygon([1,2],[1,2],[1,2,3])", "Was expecting 2 coordinates but instead found 3.", "26:27"},
		{"_geoPolygon([1,2],[1,2,3])", "The `_geoPolygon` filter expects at least 3 points but only 2 were specified", "24:25"},
		{"_geoPolygon([1,2)", polygon, "17:18"},
		{"_geoPoint(12, 13, 14)", "`_geoPoint" + geoReserved, "1:22"},
		{"position <= _geoDistance(12, 13, 14)", "`_geoDistance" + geoReserved, "13:37"},
		{"position <= _geo(12, 13, 14)", "`_geo" + geoReserved, "13:29"},
		{"position <= _geoRadius(12, 13, 14)", "The `_geoRadius` filter is an operation and can't be used as a value.", "13:35"},
		{"channel = 'ponce", "Expression `\\'ponce` is missing the following closing delimiter: `'`.", "11:17"},
		{"channel = mv OR (followers >= 1000", "Expression `(followers >= 1000` is missing the following closing delimiter: `)`.", "17:35"},
		{"channel = mv OR followers >= 1000)", "Found unexpected characters at the end of the filter: `)`. You probably forgot an `OR` or an `AND` rule.", "34:35"},
		{"colour NOT EXIST", primary + "at `colour NOT EXIST`.", "1:17"},
		{"subscribers 100 TO1000", primary + "at `subscribers 100 TO1000`.", "1:23"},
		{"channel = ponce ORdog != 'b'", "Found unexpected characters at the end of the filter: `ORdog != \\'b\\'`. You probably forgot an `OR` or an `AND` rule.", "17:29"},
		{`name = "\x"`, "The filter is incomplete and requires Unknown additional bytes to be parsed.", "1:12"},
		{"colour IN blue, green]", "Expected `[` after `IN` keyword.", "11:23"},
		{"colour IN [blue, green, 'blue' > 2]", "Expected only comma-separated field names inside `IN[..]` but instead found `> 2]`.", "32:36"},
		{"colour IN [blue, green, AND]", "Expected only comma-separated field names inside `IN[..]` but instead found `AND]`.", "25:29"},
		{"colour IN [blue, green", "Expected matching `]` after the list of field names given to `IN[`", "23:23"},
		{"colour IN ['blue, green", "Expression `\\'blue, green` is missing the following closing delimiter: `'`.", "12:24"},
		{"x = EXISTS", reserved("EXISTS"), "5:11"},
		{"AND = 8", reserved("AND"), "1:4"},
		{strings.Repeat("(", 50) + "x = 1" + strings.Repeat(")", 50), "The filter exceeded the maximum depth limit. Try rewriting the filter so that it contains fewer nested conditions.", "38:106"},
		{strings.Repeat("NOT ", 199) + "x = 1", "The filter exceeded the maximum depth limit. Try rewriting the filter so that it contains fewer nested conditions.", "597:802"},
		{"_vectors _vectors EXISTS", vectorOp, "10:25"},
		{"_vectors. embedderName EXISTS", "Was expecting embedder name but found nothing.", "10:11"},
		{"_vectors.embedderName. EXISTS", "Was expecting one of `.fragments`, `.userProvided`, `.documentTemplate`, `.regenerate` or nothing, but instead found a point without a valid value.", "22:23"},
		{`_vectors."embedderName EXISTS`, "The quotes in one of the values are inconsistent.", "10:30"},
		{`_vectors."embedderNam"e EXISTS`, "The vector filter has leftover tokens.", "23:31"},
		{"_vectors.embedderName.fragments EXISTS", "The vector filter is missing a fragment name.", "32:39"},
		{"_vectors.embedderName.fragments. EXISTS", "The vector filter's fragment name is invalid.", "33:40"},
		{"_vectors.embedderName.fargments.test EXISTS", "Was expecting one of `fragments`, `userProvided`, `documentTemplate`, `regenerate` or nothing, but instead found `fargments`. Did you mean `fragments`?", "23:32"},
		{`_vectors.embedderName."userProvided" EXISTS`, "Was expecting this part to be unquoted.", "24:36"},
		{"_vectors.embedderName.userProvided.fragments.test EXISTS", "Vector filter can only accept one of `fragments`, `userProvided`, `documentTemplate` or `regenerate`, but found both `userProvided` and `fragments`.", "36:45"},
	} {
		_, err := ParseString(c.in)
		want := c.message + "\n" + c.span + " " + c.in
		if err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", c.in, err, want)
		}
	}
}

func TestParseReadsArraysAsAndOfOr(t *testing.T) {
	for _, c := range []struct {
		name string
		in   any
		want string
		err  string
	}{
		{"outer and inner or", []any{"a = 1", []any{"b = 2", "c = 3"}}, `("a" = "1") AND (("b" = "2") OR ("c" = "3"))`, ""},
		{"blank members count for nothing", []any{"", []any{}, "a = 1"}, `"a" = "1"`, ""},
		{"a number is refused", 1.0, "", "Invalid syntax for the filter parameter: `expected String, Array, found: 1`."},
		{"a bool is refused", true, "", "Invalid syntax for the filter parameter: `expected String, Array, found: true`."},
		{"a number in the list", []any{1.0}, "", "Invalid syntax for the filter parameter: `expected String, [String], found: 1`."},
		{"a list two deep", []any{[]any{[]any{"a"}}}, "", "Invalid syntax for the filter parameter: `expected String, found: [\"a\"]`."},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := Parse(c.in)
			switch {
			case c.err != "":
				if err == nil || err.Error() != c.err {
					t.Fatalf("got %v, want %s", err, c.err)
				}
			case err != nil:
				t.Fatal(err)
			case e.String() != c.want:
				t.Fatalf("got %s, want %s", e, c.want)
			}
		})
	}
	for _, in := range []any{nil, "", "  ", []any{}, []any{""}} {
		if e, err := Parse(in); e != nil || err != nil {
			t.Errorf("%v: got %v, %v", in, e, err)
		}
	}
}

func TestFloatsAreFiniteDecimals(t *testing.T) {
	for in, want := range map[string]float64{"1": 1, "-1.5e3": -1500, "+.5": .5, "5.": 5} {
		if got, err := ParseFloat(in); err != nil || got != want {
			t.Errorf("%q: %v %v", in, got, err)
		}
	}
	for _, in := range []string{"", "0x10", "1_000", "inf", "NaN", "1e999", "a"} {
		if f, err := ParseFloat(in); err == nil {
			t.Errorf("%q read as %v", in, f)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"a = 1", "a IN [b, 'c']", "NOT (a 1 TO 2) OR _geoRadius(1,2,3)", "_vectors.a.b EXISTS", `a = "\u{41}"`, "((((", "_geoPolygon([1,2],[3,4],[5,6],)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := ParseString(s)
		if err != nil || e == nil {
			return
		}
		text := e.String()
		again, err := ParseString(text)
		if err != nil {
			if strings.Contains(err.Error(), "depth limit") {
				return // the canonical text has more parentheses
			}
			t.Fatalf("%q: canonical %q: %v", s, text, err)
		}
		if got := again.String(); got != text {
			t.Fatalf("%q: %q became %q", s, text, got)
		}
	})
}
