package payload

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestInferPrimaryKey(t *testing.T) {
	tests := []struct{ name, doc, want, problem string }{
		{"the one field", `{"title":"x","id":1}`, "id", ""},
		{"whatever its case", `{"movieID":1,"title":"x"}`, "movieID", ""},
		{"the same field twice", `{"id":1,"id":2}`, "id", ""},
		{"a name written with an escape", `{"\u0069d":1}`, "id", ""},
		{"not in inner objects", `{"a":{"id":1},"uid":1}`, "uid", ""},
		{"none", `{"title":"x","idx":1}`, "", "The primary key inference failed as the engine did not find any field ending " +
			"with `id` in its name. Please specify the primary key manually using the `primaryKey` query parameter."},
		{"several, of which the first two by name are named", `{"public_uid":1,"id":2,"other id":3}`, "",
			"The primary key inference failed as the engine found 3 fields ending with `id` in their names: 'id' and 'other id'. " +
				"Please specify the primary key manually using the `primaryKey` query parameter."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := InferPrimaryKey([]byte(tt.doc))
			problem := ""
			if err != nil {
				problem = err.Error()
			}
			if got != tt.want || problem != tt.problem {
				t.Errorf("got %q, %s", got, problem)
			}
		})
	}
	var several *MultipleCandidatesError
	if _, err := InferPrimaryKey([]byte(`{"b_id":1,"a_id":1}`)); !errors.As(err, &several) ||
		!slices.Equal(several.Candidates, []string{"a_id", "b_id"}) || several.ErrorCode() != CodeMultipleCandidates {
		t.Errorf("candidates %v", several)
	}
	var none *NoCandidateError
	if _, err := InferPrimaryKey([]byte(`{}`)); !errors.As(err, &none) || none.ErrorCode() != CodeNoCandidate {
		t.Errorf("an empty object: %v", err)
	}
	if _, err := InferPrimaryKey([]byte(`[`)); err == nil {
		t.Error("text that is not an object has a primary key")
	}
}

const idRule = "A document identifier can be of type integer or string, only composed of alphanumeric characters " +
	"(a-z A-Z 0-9), hyphens (-) and underscores (_), and can not be more than 511 bytes."

func badID(value string) string {
	return "invalid_document_id: Document identifier `" + value + "` is invalid. " + idRule
}

func TestResolveIDs(t *testing.T) {
	long := strings.Repeat("x", 511)
	tests := []struct {
		name   string
		format Format
		data   string
		pk     string
		want   string // ids joined by commas, or code and message
	}{
		{"integers and strings in one space", JSON, `[{"id":1},{"id":"1"},{"id":"a-B_9"}]`, "id", "1,1,a-B_9"},
		{"the smallest and largest integers", JSON, `[{"id":-9223372036854775808},{"id":18446744073709551615},{"id":0}]`, "id",
			"-9223372036854775808,18446744073709551615,0"},
		{"a string with an escape", JSON, `[{"id":"\u0061b"},{"id":2}]`, "id", "ab,2"},
		{"a key with an escape", NDJSON, `{"a":1,"\u0069d":"x"} {"id":"y"}`, "id", "x,y"},
		{"511 bytes", JSON, `[{"id":"` + long + `"}]`, "id", long},
		{"512 bytes", JSON, `[{"id":"` + long + `x"}]`, "id", badID(`"` + long + `x"`)},
		{"an empty string", JSON, `[{"id":""}]`, "id", badID(`""`)},
		{"a string with a space", JSON, `[{"id":"a b"}]`, "id", badID(`"a b"`)},
		{"a string with white space around", JSON, `[{"id":" a"}]`, "id", badID(`" a"`)},
		{"a letter beyond ASCII", JSON, `[{"id":"\u00e9"}]`, "id", badID(`"é"`)},
		{"a fraction", JSON, `[{"id":1.0}]`, "id", badID("1.0")},
		{"an exponent, printed as a node prints it", JSON, `[{"id":1e40}]`, "id", badID("1e+40")},
		{"minus zero", JSON, `[{"id":-0}]`, "id", badID("-0.0")},
		{"an integer beyond 64 bits", JSON, `[{"id":18446744073709551616}]`, "id", badID("1.8446744073709552e+19")},
		{"a negative integer beyond 64 bits", JSON, `[{"id":-9223372036854775809}]`, "id", badID("-9.223372036854776e+18")},
		{"null", JSON, `[{"id":null}]`, "id", badID("null")},
		{"a boolean", JSON, `[{"id":true}]`, "id", badID("true")},
		{"an object, printed compactly", JSON, `[{"id":{"z": 1, "a" : [ "\u00e9\/" ], "z":2}}]`, "id", badID(`{"z":2,"a":["é/"]}`)},
		{"a list", JSON, `[{"id":[1, 2]}]`, "id", badID("[1,2]")},
		{"none", JSON, `[{"id":1},{"ID": 2, "b":1.50}]`, "id",
			"missing_document_id: Document doesn't have a `id` attribute: `{\"ID\":2,\"b\":1.5}`."},
		{"none in an empty document", JSON, `[{}]`, "id", "missing_document_id: Document doesn't have a `id` attribute: `{}`."},
		{"the first bad document decides", JSON, `[{"id":1},{"id":"a b"},{"x":1}]`, "id", badID(`"a b"`)},
		{"a key other than the guessed one", JSON, `[{"id":1,"sku":"a"},{"id":2,"sku":"b"}]`, "sku", "a,b"},
		{"a key other than the guessed one, whose values are bad", JSON, `[{"id":{},"sku":"a"},{"sku":"b"}]`, "sku", "a,b"},
		{"a nested key", JSON, `[{"a":{"b":1}},{"a":{"b":"x","c":2}}]`, "a.b", "1,x"},
		{"a nested key as a literal dotted name", JSON, `[{"a.b":1},{"a":{"c":1},"a.b":2}]`, "a.b", "1,2"},
		{"a deep key split anywhere", JSON, `[{"a":{"b":{"c":1}}},{"a.b":{"c":2}},{"a":{"b.c":3}},{"a.b.c":4}]`, "a.b.c", "1,2,3,4"},
		{"a nested key found twice", JSON, `[{"a":{"b":1},"a.b":2}]`, "a.b",
			"invalid_document_id: Document have too many matching `a.b` attribute: `{\"a\":{\"b\":1},\"a.b\":2}`."},
		{"a path that meets something else", JSON, `[{"a":1}]`, "a.b",
			"missing_document_id: Document doesn't have a `a.b` attribute: `{\"a\":1}`."},
		{"a path that leads past the end", JSON, `[{"a":{"b":{"c":1}}}]`, "a.b", badID(`{"c":1}`)},
		{"duplicates in JSON, of which the last counts", JSON, `[{"id":1,"a":1,"id":"b c","id":2}]`, "id", "2"},
		{"duplicates in NDJSON", NDJSON, `{"id":1,"id":2,"a":1,"a":2}`, "id",
			"invalid_document_id: Document have too many matching `id` attribute: `{\"id\":2,\"a\":2}`."},
		{"text from CSV", CSV, "id,a\n1,x\n2,y\n", "id", "1,2"},
		{"numbers from CSV", CSV, "id:number,a\n 007 ,x\n+2,y\n", "id", "7,2"},
		{"an empty cell from CSV", CSV, "id,a\n1,x\n,y\n", "id", badID("null")},
		{"a column that is not there", CSV, "id,a\n1,x\n", "sku",
			"missing_document_id: Document doesn't have a `sku` attribute: `{\"id\":\"1\",\"a\":\"x\"}`."},
		{"no documents", JSON, `[]`, "id", ""},
		{"no name", JSON, `[{"":1}]`, "", "missing_document_id: Document doesn't have a `` attribute: `{\"\":1}`."},
	}
	for _, tt := range tests {
		for _, hint := range []string{"", tt.pk, "other"} {
			t.Run(tt.name+", hint "+hint, func(t *testing.T) {
				b, err := Parse([]byte(tt.data), tt.format, Options{PrimaryKey: hint})
				if err != nil {
					t.Fatal(err)
				}
				for range 2 { // asking again must not change the answer
					if got := resolved(b, tt.pk); got != tt.want {
						t.Fatalf("got  %s\nwant %s", got, tt.want)
					}
				}
			})
		}
	}
}

func resolved(b *Batch, pk string) string {
	if err := b.ResolveIDs(pk); err != nil {
		var e *Error
		if errors.As(err, &e) {
			return e.Code + ": " + e.Message
		}
		return err.Error()
	}
	ids := make([]string, b.Len())
	for i := range ids {
		ids[i] = string(b.ID(i))
	}
	return strings.Join(ids, ",")
}

func TestResolveIDsForAnotherKeyForgetsTheFirst(t *testing.T) {
	b, err := Parse([]byte(`[{"id":1,"sku":"a"},{"id":2,"sku":"b c"}]`), JSON, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := resolved(b, "sku"); got != badID(`"b c"`) {
		t.Errorf("sku: %s", got)
	}
	if got := resolved(b, "id"); got != "1,2" {
		t.Errorf("id: %s", got)
	}
}

func TestDuplicatesOfThePrimaryKeyAreRemovedFromTheDocument(t *testing.T) {
	b, err := Parse([]byte(`[{"id":1},{"id":2,"a":[1.0],"\u0069d":3,"a":2e1}]`), JSON, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := resolved(b, "id"); got != "1,3" {
		t.Errorf("ids %s", got)
	}
	if got := string(b.Doc(1)); got != `{"id":3,"a":2e1}` {
		t.Errorf("document %s", got)
	}
}
