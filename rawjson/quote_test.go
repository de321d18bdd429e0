package rawjson

import (
	"math"
	"testing"
)

func TestAppendString(t *testing.T) {
	for s, want := range map[string]string{
		``:                                `""`,
		`plain`:                           `"plain"`,
		"<script>&amp;</script>":          `"<script>&amp;</script>"`,
		"a\"b\\c/d":                       `"a\"b\\c/d"`,
		"\b\f\n\r\t\x00\x1f\x7f":          "\"\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\"",
		"é漢😀 \u2028":                      "\"é漢😀 \u2028\"",
		"long enough for words: \xff end": "\"long enough for words: \uFFFD end\"",
		"long enough, then a \" quote":    `"long enough, then a \" quote"`,
	} {
		if got := string(AppendString([]byte("x"), s)); got != "x"+want {
			t.Errorf("AppendString(%q) = %s", s, got)
		}
		if got := string(AppendString(nil, []byte(s))); got != want {
			t.Errorf("AppendString(bytes %q) = %s", s, got)
		}
	}
}

func TestAppendUnquoted(t *testing.T) {
	for quoted, want := range map[string]string{
		`""`:                         ``,
		`"plain"`:                    `plain`,
		`"\"\\\/\b\f\n\r\t"`:         "\"\\/\b\f\n\r\t",
		`"\u00e9\ud83d\ude00"`:       "é😀",
		`"\ud83d"`:                   "\uFFFD",
		`"\ude00\ud83dx"`:            "\uFFFD\uFFFDx",
		`"\ud83d\u0041"`:             "\uFFFDA",
		`"mixed \u0041 and plain é"`: "mixed A and plain é",
	} {
		got, err := AppendUnquoted([]byte("x"), []byte(quoted))
		if err != nil || string(got) != "x"+want {
			t.Errorf("AppendUnquoted(%s) = %q, %v", quoted, got, err)
		}
	}
	for _, bad := range []string{``, `"`, `a`, `"a`, `"a"b`, `"\q"`, `"\u12"`, `"\"`, `"a" `} {
		if got, err := AppendUnquoted([]byte("x"), []byte(bad)); err == nil || string(got) != "x" {
			t.Errorf("AppendUnquoted(%q) = %q, %v", bad, got, err)
		}
	}
}

func TestParseInt(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "-0": 0, "7": 7, "-12": -12, "9223372036854775807": math.MaxInt64,
		"-9223372036854775808": math.MinInt64} {
		if got, ok := ParseInt([]byte(s)); !ok || got != want {
			t.Errorf("ParseInt(%s) = %d, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "-", "+1", "01", "1.0", "1e2", "x", "9223372036854775808", "-9223372036854775809", "99999999999999999999"} {
		if got, ok := ParseInt([]byte(s)); ok {
			t.Errorf("ParseInt(%q) = %d", s, got)
		}
	}
}

func TestParseFloat(t *testing.T) {
	for s, want := range map[string]float64{"0": 0, "-1.5": -1.5, "1e3": 1000, "0.9848484848484849": 0.9848484848484849} {
		if got, ok := ParseFloat([]byte(s)); !ok || got != want {
			t.Errorf("ParseFloat(%s) = %v, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "-", "+1", "01", "1.", ".5", "NaN", "inf", "0x1p3", "1e999", "1 "} {
		if got, ok := ParseFloat([]byte(s)); ok {
			t.Errorf("ParseFloat(%q) = %v", s, got)
		}
	}
}

func TestNodeFloatIsAsRoughAsANode(t *testing.T) {
	for s, want := range map[string]float64{
		"1234567890123456789012345678901e9": 1.2345678901234567e39, // seen on a node; the nearest float ends in 68
		"0.5":                               0.5,
		"-2e2":                              -200,
		"1e-400":                            0,
		"0e99999999999":                     0,
		"123.456":                           123.456,
	} {
		if got, ok := NodeFloat([]byte(s)); !ok || got != want {
			t.Errorf("NodeFloat(%s) = %v, %v", s, got, ok)
		}
	}
	if got, ok := NodeFloat([]byte("-0")); !ok || got != 0 || !math.Signbit(got) {
		t.Errorf("NodeFloat(-0) = %v, %v", got, ok)
	}
	if _, ok := NodeFloat([]byte("1e309")); ok {
		t.Error("1e309 is in range")
	}
}
