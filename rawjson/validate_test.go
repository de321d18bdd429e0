package rawjson

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

func TestValidateAnswersInSerdesWords(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"nothing", "", "EOF while parsing a value at line 1 column 0"},
		{"only white space", "  ", "EOF while parsing a value at line 1 column 2"},
		{"a key without quotes", `[{"id": 1}, {id: 2}]`, "key must be a string at line 1 column 14"},
		{"a key without quotes on the next line", "[{\"id\": 1},\n{id: 2}]", "key must be a string at line 2 column 2"},
		{"an object that does not end", `{"a":1`, "EOF while parsing an object at line 1 column 6"},
		{"an object that stops behind a comma", `{"a":1,`, "EOF while parsing a value at line 1 column 7"},
		{"an array that does not end", `[1`, "EOF while parsing a list at line 1 column 2"},
		{"a string that does not end", `"abc`, "EOF while parsing a string at line 1 column 4"},
		{"a member without its colon", `{"a" 1}`, "expected `:` at line 1 column 6"},
		{"a member without its comma", `{"a":1 "b":2}`, "expected `,` or `}` at line 1 column 8"},
		{"an element without its comma", "[1\n 2]", "expected `,` or `]` at line 2 column 2"},
		{"a comma too many in an array", `[1,]`, "trailing comma at line 1 column 4"},
		{"a comma too many in an object", `{"a":1,}`, "trailing comma at line 1 column 8"},
		{"text behind the value", `{} x`, "trailing characters at line 1 column 4"},
		{"no value at all", `[x]`, "expected value at line 1 column 2"},
		{"a byte order mark", "\ufeff[]", "expected value at line 1 column 1"},
		{"a misspelt word", `[nulL]`, "expected ident at line 1 column 5"},
		{"half a word", `tru`, "EOF while parsing a value at line 1 column 3"},
		{"an unknown escape", `"\q"`, "invalid escape at line 1 column 3"},
		{"digits that are not hexadecimal", `"\u00g0"`, "invalid escape at line 1 column 7"},
		{"a first surrogate alone", `"\ud800"`, "unexpected end of hex escape at line 1 column 8"},
		{"a first surrogate before another escape", `"\ud800\n"`, "unexpected end of hex escape at line 1 column 9"},
		{"a second surrogate alone", `"\udc00"`, "lone leading surrogate in hex escape at line 1 column 7"},
		{"two first surrogates", `"\ud800\ud800"`, "lone leading surrogate in hex escape at line 1 column 13"},
		{"a line feed in a string", "\"a\nb\"", `control character (\u0000-\u001F) found while parsing a string at line 2 column 0`},
		{"bytes that are not UTF-8", "[\"a\xff\"]", "invalid unicode code point at line 1 column 5"},
		{"a leading zero", `01`, "invalid number at line 1 column 2"},
		{"a lonely minus", `-`, "EOF while parsing a value at line 1 column 1"},
		{"a minus before something else", `-x`, "invalid number at line 1 column 2"},
		{"a point without digits", `[1.]`, "invalid number at line 1 column 4"},
		{"an exponent without digits", `1e`, "EOF while parsing a value at line 1 column 2"},
		{"a number beyond a float", `[1e999]`, "number out of range at line 1 column 6"},
		{"an exponent beyond everything", `1e99999999999`, "number out of range at line 1 column 12"},
		{"a very long number beyond a float", strings.Repeat("9", 400), "number out of range at line 1 column 400"},
		{"one level too many", strings.Repeat("[", 128), "recursion limit exceeded at line 1 column 128"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := Validate([]byte(tt.text))
			var se *SyntaxError
			if !errors.As(err, &se) || err.Error() != tt.want {
				t.Errorf("Validate(%q)\n got  %v\n want %s", tt.text, err, tt.want)
			}
		})
	}
}

func TestValidateAccepts(t *testing.T) {
	for name, text := range map[string]string{
		"every kind of value":            ` {"a":[1,-2.5e+3,true,false,null,"x"],"b":{},"c":[ ],"":"\"\\\/\b\f\n\r\t\u00e9"} `,
		"duplicate names":                `{"a":1,"a":2}`,
		"surrogates in a pair":           `"\ud83d\ude00"`,
		"characters beyond ASCII":        `"é漢字😀 and plain text"`,
		"a delete character":             "\"\x7f\"",
		"127 levels":                     strings.Repeat("[", 127) + strings.Repeat("]", 127),
		"a zero with a giant exponent":   `0e99999999999`,
		"a number that vanishes":         `1e-99999999999`,
		"a small number of many digits":  `0.` + strings.Repeat("0", 400) + `1`,
		"the largest float":              `1.7976931348623157e308`,
		"integers wider than 64 bits":    `123456789012345678901234567890`,
		"a value on its own":             `"just text"`,
		"white space of every kind":      "\r\n\t [\r\n\t ]\r\n\t ",
		"an escape at a word's boundary": `"1234567\n9012345\\"`,
	} {
		t.Run(name, func(t *testing.T) {
			if err := Validate([]byte(text)); err != nil {
				t.Errorf("Validate(%q): %v", text, err)
			}
		})
	}
}

func TestValidateValueCountsTheLevelsAround(t *testing.T) {
	text := []byte(strings.Repeat("[", 127) + strings.Repeat("]", 127))
	for depth, ok := range map[int]bool{-1: true, 0: true, 1: false, 126: false} {
		end, err := ValidateValue(text, 0, depth)
		if (err == nil) != ok || ok && end != len(text) {
			t.Errorf("depth %d: end %d, %v", depth, end, err)
		}
	}
	deep := []byte(strings.Repeat("[", 128) + strings.Repeat("]", 128))
	if end, err := ValidateValue(deep, 0, -1); err != nil || end != len(deep) {
		t.Errorf("128 levels at depth -1: end %d, %v", end, err)
	}
	if _, err := ValidateValue([]byte("[[]]"), 0, 126); err == nil {
		t.Error("two levels inside 126 were accepted")
	}
}

func TestValidateValueStopsBehindTheValue(t *testing.T) {
	data := []byte(` {"a":1} , 2`)
	end, err := ValidateValue(data, 0, 0)
	if err != nil || end != 8 {
		t.Errorf("end %d, %v", end, err)
	}
	if end, escaped, err := ValidateString([]byte(`"a\n",`), 0); err != nil || end != 5 || !escaped {
		t.Errorf("string end %d, escaped %v, %v", end, escaped, err)
	}
	if _, _, err := ValidateString([]byte(`x`), 0); err == nil {
		t.Error("a string without a quote was accepted")
	}
}

func TestValidateRawIsLooser(t *testing.T) {
	for _, text := range []string{`"\ud800"`, `1e999`, strings.Repeat("[", 500) + strings.Repeat("]", 500)} {
		if end, err := ValidateRaw([]byte(text), 0); err != nil || end != len(text) {
			t.Errorf("ValidateRaw(%.20q): end %d, %v", text, end, err)
		}
		if Validate([]byte(text)) == nil {
			t.Errorf("Validate(%.20q) accepted it", text)
		}
	}
	for text, want := range map[string]string{
		"[1,]":       "expected value at line 1 column 4",
		`{"a":1,}`:   "key must be a string at line 1 column 8",
		`{"a":1,`:    "EOF while parsing an object at line 1 column 7",
		"\"\x01\"":   `control character (\u0000-\u001F) found while parsing a string at line 1 column 1`,
		"[\"\xff\"]": "invalid unicode code point at line 1 column 5",
		"-":          "invalid number at line 1 column 1",
	} {
		if _, err := ValidateRaw([]byte(text), 0); err == nil || err.Error() != want {
			t.Errorf("ValidateRaw(%q)\n got  %v\n want %s", text, err, want)
		}
	}
	if err := ValidateRawObject([]byte(`{"a":"\ud800"}`)); err != nil {
		t.Errorf("a raw value was looked into: %v", err)
	}
	if err := ValidateRawObject([]byte(`{"\ud800":1}`)); err == nil {
		t.Error("a key with half a surrogate was accepted")
	}
}

func TestValidUTF8AgreesWithTheStandardLibrary(t *testing.T) {
	for a := range 256 {
		for b := range 256 {
			for _, tail := range []string{"", "\x80", "\x80\x80", "\x80\x80abcdefgh", "abcdefgh", "\xbf\xbf\xbf"} {
				text := []byte("pad" + string([]byte{byte(a), byte(b)}) + tail)
				if got, want := ValidUTF8(text), utf8.Valid(text); got != want {
					t.Fatalf("ValidUTF8(%q) = %v", text, got)
				}
			}
		}
	}
}

// oracle says what jsontext makes of text; the depth and the range of numbers are added, as it knows no such limits.
func oracle(text []byte) bool {
	dec := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true))
	for values := 0; ; {
		tok, err := dec.ReadToken()
		if errors.Is(err, io.EOF) {
			return values == 1
		}
		if err != nil {
			return false
		}
		if tok.Kind() == '0' {
			if f, ok := NodeFloat([]byte(tok.String())); !ok || math.IsInf(f, 0) {
				return false
			}
		}
		if dec.StackDepth() > MaxDepth {
			return false
		}
		if dec.StackDepth() == 0 {
			values++
		}
	}
}

func FuzzValidate(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,"x\n\u00e9",true,null]}`, `[]`, `"\ud83d\ude00"`, `{"a":1}x`, `01`, "\"\xff\"", `1e999`,
		"[\"long enough to fill a word\",\t{}]", `{"a":{"b":{"c":[[[]]]}}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		err := Validate(text)
		if want := oracle(text); (err == nil) != want {
			t.Fatalf("Validate(%q) = %v, jsontext accepts: %v", text, err, want)
		}
		if err == nil {
			if end, err := SkipValue(text, 0); err != nil || SkipSpace(text, end) != len(text) {
				t.Fatalf("SkipValue(%q) = %d, %v", text, end, err)
			}
			if end, err := ValidateRaw(text, 0); err != nil || SkipSpace(text, end) != len(text) {
				t.Fatalf("ValidateRaw(%q) = %d, %v", text, end, err)
			}
			return
		}
		var se *SyntaxError
		if !errors.As(err, &se) || se.Offset < 0 || se.Offset > len(text) || se.Line < 1 || se.Column < 0 {
			t.Fatalf("Validate(%q): odd error %#v", text, err)
		}
	})
}
