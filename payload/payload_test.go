package payload

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// parsed lists the documents of a body, or says what is wrong with it.
func parsed(data string, f Format, o Options) (docs []string, problem string) {
	b, err := Parse([]byte(data), f, o)
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			return nil, e.Code + ": " + e.Message
		}
		return nil, err.Error()
	}
	for i := range b.Len() {
		docs = append(docs, string(b.Doc(i)))
	}
	return docs, ""
}

func TestParseFindsTheDocuments(t *testing.T) {
	tests := []struct {
		name   string
		format Format
		data   string
		want   string
	}{
		{"an array", JSON, ` [ {"id":1} , {"id":2,"a":[1,{"b":2}]} ] `, `{"id":1}|{"id":2,"a":[1,{"b":2}]}`},
		{"a lone object", JSON, " {\"id\":1}\n", `{"id":1}`},
		{"an empty array", JSON, `[ ]`, ``},
		{"an empty object", JSON, `[{}]`, `{}`},
		{"text behind an array, which nodes do not look at", JSON, `[{"id":1}] tail`, `{"id":1}`},
		{"pretty-printed lines", NDJSON, "{\n  \"id\": 1\n}\n{\n  \"id\": 2\n}\n", "{\n  \"id\": 1\n}|{\n  \"id\": 2\n}"},
		{"lines without line feeds", NDJSON, `{"id":1}{"id":2}`, `{"id":1}|{"id":2}`},
		{"only white space", NDJSON, " \n", ``},
		{"numbers as they are written", JSON, `[{"id":12345678901234567890,"a":1.0,"b":1e2,"c":-0}]`,
			`{"id":12345678901234567890,"a":1.0,"b":1e2,"c":-0}`},
		{"127 levels in a member", JSON, `[{"id":1,"a":` + strings.Repeat("[", 127) + strings.Repeat("]", 127) + `}]`,
			`{"id":1,"a":` + strings.Repeat("[", 127) + strings.Repeat("]", 127) + `}`},
		{"names that only look reserved", JSON, `[{"_miroir":1,"a":{"_miroir_x":2},"x_miroir_":3}]`,
			`{"_miroir":1,"a":{"_miroir_x":2},"x_miroir_":3}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			docs, problem := parsed(tt.data, tt.format, Options{})
			if got := strings.Join(docs, "|"); got != tt.want || problem != "" {
				t.Errorf("got %s, %s\nwant %s", got, problem, tt.want)
			}
		})
	}
}

func jsonFault(reason string) string {
	return "malformed_payload: The `json` payload provided is malformed. `Couldn't serialize document value: " + reason + "`."
}

func ndjsonFault(reason string) string {
	return strings.Replace(jsonFault(reason), "`json`", "`ndjson`", 1)
}

// The expectations were compared with answers of real nodes, where the name does not say otherwise.
func TestParseRefusesAsANodeDoes(t *testing.T) {
	deep := strings.Repeat("[", 128) + strings.Repeat("]", 128)
	tests := []struct {
		name   string
		format Format
		data   string
		want   string
	}{
		{"nothing", JSON, ``, "missing_payload: A json payload is missing."},
		{"nothing as NDJSON", NDJSON, ``, "missing_payload: A ndjson payload is missing."},
		{"nothing as CSV", CSV, ``, "missing_payload: A csv payload is missing."},
		{"only white space", JSON, `  `, jsonFault("EOF while parsing a value at line 1 column 2")},
		{"a key without quotes", JSON, `[{"id": 1}, {id: 2}]`, jsonFault("key must be a string at line 1 column 14")},
		{"a key without quotes in a line", NDJSON, "{\"id\": 1}\n{id: 2}", ndjsonFault("key must be a string at line 2 column 2")},
		{"a string", JSON, `"abc"`, jsonFault("data are neither an object nor a list of objects")},
		{"two numbers", JSON, `1 2`, jsonFault("data are neither an object nor a list of objects")},
		{"half a string", JSON, `"abc`, jsonFault("EOF while parsing a string at line 1 column 4")},
		{"two objects", JSON, `{"id":1} {"id":2}`, jsonFault("trailing characters at line 1 column 10")},
		{"a comma too many", JSON, `[{"id":1},]`, jsonFault("trailing comma at line 1 column 11")},
		{"a comma missing", JSON, `[{"id":1} {"id":2}]`, jsonFault("expected `,` or `]` at line 1 column 11")},
		{"an array that does not end", JSON, `[{"id":1}`, jsonFault("EOF while parsing a list at line 1 column 9")},
		{"an array that stops behind a comma", JSON, `[{"id":1},`, jsonFault("EOF while parsing a value at line 1 column 10")},
		{"a comma between lines", NDJSON, `{"id":1},{"id":2}`, ndjsonFault("expected value at line 1 column 9")},
		{"a byte order mark", JSON, "\ufeff[]", jsonFault("expected value at line 1 column 1")},
		{"bytes that are not UTF-8, noticed behind the document", JSON, "[{\"id\":1,\"a\":\"\xff\"}]",
			jsonFault("invalid unicode code point at line 1 column 17")},
		{"bytes that are not UTF-8 in a lone object, noticed behind the string", JSON, "{\"id\":1,\"a\":\"\xff\"}",
			jsonFault("invalid unicode code point at line 1 column 15")},
		{"half a surrogate in a key, placed within the document", JSON, "[{\"id\":1},\n{\"id\":2,\n\"\\ud800\":1}]",
			jsonFault("unexpected end of hex escape at line 2 column 8")},
		{"a number beyond a float in a lone object", JSON, `{"id":1,"a":1e999}`, jsonFault("number out of range at line 1 column 17")},
		{"a number as the only element", JSON, `[1]`, "internal: invalid type: integer `1`, expected a map at line 1 column 1"},
		{"a list as the last element", JSON, `[{"id":1},[]]`, "internal: invalid type: sequence, expected a map at line 1 column 0"},
		{"numbers as elements", JSON, `[1,2]`, jsonFault("trailing characters at line 1 column 4")},
		{"a number as a line", NDJSON, "{\"id\":1}\n1\n", "internal: invalid type: integer `1`, expected a map at line 1 column 1"},
		{"a string as a line", NDJSON, `"a\"b"`, "internal: invalid type: string \"a\\\"b\", expected a map at line 1 column 6"},
		{"null as a line", NDJSON, `null`, "internal: invalid type: null, expected a map at line 1 column 4"},
		{"a float as a line", NDJSON, `1e2`, "internal: invalid type: floating point `100.0`, expected a map at line 1 column 3"},
		{"a number and text as a line", NDJSON, `1x`, ndjsonFault("trailing characters at line 1 column 2")},
		{"half a surrogate in a value, before the task instead of in it", JSON, `[{"id":1,"a":"\ud800"}]`,
			jsonFault("unexpected end of hex escape at line 1 column 21")},
		{"128 levels in a member, before the task instead of in it", NDJSON, `{"a":` + deep + `}`,
			ndjsonFault("recursion limit exceeded at line 1 column 133")},
		{"128 levels in a lone object", JSON, `{"a":` + deep[1:255] + `}`, jsonFault("recursion limit exceeded at line 1 column 132")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			docs, got := parsed(tt.data, tt.format, Options{})
			if got != tt.want {
				t.Errorf("got  %s %s\nwant %s", docs, got, tt.want)
			}
		})
	}
}

func TestLongReasonsAreElided(t *testing.T) {
	reason := strings.Repeat("a", 50) + strings.Repeat("b", 4) + strings.Repeat("c", 85)
	if got, want := malformed(JSON, reason).Message, malformed(JSON, strings.Repeat("a", 50)+"..."+strings.Repeat("c", 85)).Message; got != want {
		t.Errorf("got %s", got)
	}
	if got := malformed(JSON, reason[1:]).Message; !strings.Contains(got, reason[1:]) {
		t.Errorf("138 bytes were elided: %s", got)
	}
	malformed(JSON, strings.Repeat("é", 100)) // must not cut a character, and not panic
}

func TestReservedFieldsAreRefused(t *testing.T) {
	tests := []struct {
		name   string
		format Format
		data   string
		field  string
		index  int
	}{
		{"in the second document", JSON, `[{"id":1},{"id":2,"_miroir_shard":"x"}]`, "_miroir_shard", 1},
		{"written with an escape", NDJSON, `{"id":1,"\u005fmiroir_seq":1}`, "_miroir_seq", 0},
		{"in a lone object", JSON, `{"_miroir_":1}`, "_miroir_", 0},
		{"as a column", CSV, "id,_miroir_x:number\n1,2\n", "_miroir_x", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse([]byte(tt.data), tt.format, Options{})
			var e *ReservedFieldError
			if !errors.As(err, &e) || e.Field != tt.field || e.Index != tt.index {
				t.Errorf("got %#v", err)
			}
		})
	}
	if _, problem := parsed(`[{"_miroir_x":1},{]`, JSON, Options{}); !strings.HasPrefix(problem, CodeMalformedPayload) {
		t.Errorf("a malformed body with a reserved field: %s", problem)
	}
}

func TestParseIDs(t *testing.T) {
	tests := []struct{ name, data, want string }{
		{"strings and numbers", `[ "a", 1, -2, 18446744073709551615, "b\u00e9\"" ]`, `["a" "1" "-2" "18446744073709551615" "bé\""]`},
		{"anything else as it is printed", `[1.0, 1e2, true, null, {"b": 1, "a":[1, 2]}, -0]`,
			`["1.0" "100.0" "true" "null" "{\"b\":1,\"a\":[1,2]}" "-0.0"]`},
		{"none", `[]`, `[]`},
		{"nothing", ``, "missing_payload: A json payload is missing."},
		{"white space", ` `, "malformed_payload: The json payload provided is malformed. `EOF while parsing a value at line 1 column 1`."},
		{"half an array", `["a"`, "malformed_payload: The json payload provided is malformed. `EOF while parsing a list at line 1 column 4`."},
		{"text behind", `[] x`, "malformed_payload: The json payload provided is malformed. `trailing characters at line 1 column 4`."},
		{"an object", `{"a":1}`, "bad_request: Json deserialize error: invalid type: map, expected a sequence at line 1 column 0"},
		{"a string", ` "a"`, "bad_request: Json deserialize error: invalid type: string \"a\", expected a sequence at line 1 column 4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ids, err := ParseIDs([]byte(tt.data))
			got := fmt.Sprintf("%q", ids)
			if e := (*Error)(nil); errors.As(err, &e) {
				got = e.Code + ": " + e.Message
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
