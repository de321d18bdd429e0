package api

import (
	"math"
	"strconv"
	"strings"
)

// Kind is the type of a JSON value. Numbers are three kinds, because error texts and accepted types tell them apart.
type Kind uint8

// The kinds, in the order error texts list alternatives.
const (
	Null Kind = iota
	Boolean
	Integer         // fits an unsigned 64-bit integer
	NegativeInteger // below zero, fits a signed 64-bit integer
	Float           // everything else, and integers that fit neither
	String
	Array
	Object
)

// Value is one decoded JSON value. Objects keep the order of their members, a repeated key keeps its first place and
// its last value. Values are read-only.
type Value struct {
	Kind Kind
	Bool bool
	// Uint is set for Integer, Int for NegativeInteger, Num for all three number kinds.
	Uint uint64
	Int  int64
	Num  float64
	Str  string
	Arr  []Value
	Obj  []Member
	// Raw is the text of the value in the bytes it was parsed from.
	Raw []byte
}

// Member is one key and value of an object.
type Member struct {
	Key   string
	Value Value
}

// Get returns the member of an object.
func (v *Value) Get(key string) (Value, bool) {
	for i := range v.Obj {
		if v.Obj[i].Key == key {
			return v.Obj[i].Value, true
		}
	}
	return Value{}, false
}

// Any turns the value into what encoding/json would decode it to: nil, bool, float64, string, []any, map[string]any.
func (v *Value) Any() any {
	switch v.Kind {
	case Boolean:
		return v.Bool
	case Integer, NegativeInteger, Float:
		return v.Num
	case String:
		return v.Str
	case Array:
		out := make([]any, len(v.Arr))
		for i := range v.Arr {
			out[i] = v.Arr[i].Any()
		}
		return out
	case Object:
		out := make(map[string]any, len(v.Obj))
		for i := range v.Obj {
			out[v.Obj[i].Key] = v.Obj[i].Value.Any()
		}
		return out
	default:
		return nil
	}
}

// String prints the value as compact JSON with members in their order and numbers as Meilisearch prints them; it is
// how values appear inside error texts.
func (v *Value) String() string { return string(v.append(nil)) }

func (v *Value) append(b []byte) []byte {
	switch v.Kind {
	case Boolean:
		return strconv.AppendBool(b, v.Bool)
	case Integer:
		return strconv.AppendUint(b, v.Uint, 10)
	case NegativeInteger:
		return strconv.AppendInt(b, v.Int, 10)
	case Float:
		return append(b, FormatFloat(v.Num)...)
	case String:
		return appendJSONString(b, v.Str)
	case Array:
		b = append(b, '[')
		for i := range v.Arr {
			if i > 0 {
				b = append(b, ',')
			}
			b = v.Arr[i].append(b)
		}
		return append(b, ']')
	case Object:
		b = append(b, '{')
		for i := range v.Obj {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSONString(b, v.Obj[i].Key)
			b = append(b, ':')
			b = v.Obj[i].Value.append(b)
		}
		return append(b, '}')
	default:
		return append(b, "null"...)
	}
}

// FormatFloat prints a float as Meilisearch does in JSON: shortest digits that round-trip, always with a decimal point
// or an exponent.
func FormatFloat(f float64) string {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return "null"
	}
	abs := math.Abs(f)
	if abs != 0 && (abs < 1e-5 || abs >= 1e16) {
		s := strconv.FormatFloat(f, 'e', -1, 64)
		mant, exp, _ := strings.Cut(s, "e")
		sign := "+"
		if strings.HasPrefix(exp, "-") {
			sign = "-"
		}
		return mant + "e" + sign + strings.TrimLeft(exp[1:], "0")
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

const hexDigits = "0123456789abcdef"

func appendJSONString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			if c < 0x20 {
				b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			} else {
				b = append(b, c)
			}
		}
	}
	return append(b, '"')
}

// QuoteJSON prints a string as a JSON string without escaping anything but what JSON demands.
func QuoteJSON(s string) string { return string(appendJSONString(nil, s)) }
