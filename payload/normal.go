package payload

import (
	"bytes"
	"math"
	"strconv"

	"github.com/miroir-search/miroir/rawjson"
)

// appendNormal appends value, one valid JSON value, as serde_json prints it after reading it: compact, duplicates
// removed (first place, last value), strings and floats rewritten. Messages quote documents and ids in this form.
func appendNormal(dst, value []byte) []byte {
	switch value[0] {
	case '{':
		return appendNormalObject(dst, value)
	case '[':
		dst = append(dst, '[')
		n := len(dst)
		// The value is valid, so the walk cannot fail.
		_ = rawjson.EachElement(value, func(v []byte) bool {
			if len(dst) > n {
				dst = append(dst, ',')
			}
			dst = appendNormal(dst, v)
			return true
		})
		return append(dst, ']')
	case '"':
		return appendNormalString(dst, value)
	case 't', 'f', 'n':
		return append(dst, value...)
	}
	return appendNumber(dst, value)
}

func appendNormalString(dst, quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return append(dst, quoted...)
	}
	s, err := rawjson.AppendUnquoted(nil, quoted)
	if err != nil {
		return append(dst, quoted...) // cannot be: the value is valid
	}
	return rawjson.AppendString(dst, s)
}

func appendNormalObject(dst, obj []byte) []byte {
	dst = append(dst, '{')
	for i, m := range uniqueMembers(obj) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = rawjson.AppendString(dst, m.name)
		dst = append(dst, ':')
		dst = appendNormal(dst, m.value)
	}
	return append(dst, '}')
}

// appendUnique appends obj with duplicate members removed but values as they are: what a node makes of a document that
// comes in a JSON array.
func appendUnique(dst, obj []byte) []byte {
	dst = append(dst, '{')
	for i, m := range uniqueMembers(obj) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = rawjson.AppendString(dst, m.name)
		dst = append(dst, ':')
		dst = append(dst, m.value...)
	}
	return append(dst, '}')
}

type member struct {
	name  string
	value []byte
}

// uniqueMembers lists obj's members, each name at its first place with its last value.
func uniqueMembers(obj []byte) []member {
	var list []member
	at := map[string]int{}
	var m rawjson.Members
	for m.Init(obj); m.Next(); {
		name, err := rawjson.Unquote(m.Key)
		if err != nil {
			name = string(m.Key) // cannot be: the object is valid
		}
		if i, ok := at[name]; ok {
			list[i].value = m.Value
			continue
		}
		at[name] = len(list)
		list = append(list, member{name, m.Value})
	}
	return list
}

// isInteger reports whether a valid JSON number is an integer to serde_json: no fraction, no exponent, not -0, within
// i64 or u64.
func isInteger(number []byte) bool {
	digits := number
	if number[0] == '-' {
		if _, ok := rawjson.ParseInt(number); !ok {
			return false
		}
		return string(number) != "-0"
	}
	for _, c := range digits {
		if c-'0' > 9 {
			return false
		}
	}
	return len(digits) < 20 || len(digits) == 20 && string(digits) <= "18446744073709551615"
}

// appendNumber appends a valid JSON number the way serde_json prints it after reading it.
func appendNumber(dst, number []byte) []byte {
	if isInteger(number) {
		return append(dst, number...)
	}
	f, ok := rawjson.NodeFloat(number)
	if !ok {
		return append(dst, number...) // cannot be: the number is valid
	}
	return appendFloat(dst, f)
}

// appendFloat appends f in serde_json's notation: shortest digits, always with a fraction or an exponent, plain notation
// between 1e-5 and 1e16. Infinities and NaN are null.
func appendFloat(dst []byte, f float64) []byte {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return append(dst, "null"...)
	}
	if f == 0 {
		if math.Signbit(f) {
			dst = append(dst, '-')
		}
		return append(dst, "0.0"...)
	}
	var buf [32]byte
	text := strconv.AppendFloat(buf[:0], f, 'e', -1, 64)
	if text[0] == '-' {
		dst = append(dst, '-')
		text = text[1:]
	}
	e := bytes.IndexByte(text, 'e')
	exp, _ := strconv.Atoi(string(text[e+1:])) // written by AppendFloat
	var digitBuf [24]byte
	digits := append(digitBuf[:0], text[0])
	if e > 2 {
		digits = append(digits, text[2:e]...)
	}
	point := exp + 1 // digits before the decimal point
	switch {
	case point >= len(digits) && point <= 16:
		dst = append(dst, digits...)
		for range point - len(digits) {
			dst = append(dst, '0')
		}
		return append(dst, ".0"...)
	case point > 0 && point <= 16:
		dst = append(dst, digits[:point]...)
		dst = append(dst, '.')
		return append(dst, digits[point:]...)
	case point > -5 && point <= 0:
		dst = append(dst, "0."...)
		for range -point {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	}
	dst = append(dst, digits[0])
	if len(digits) > 1 {
		dst = append(dst, '.')
		dst = append(dst, digits[1:]...)
	}
	dst = append(dst, 'e')
	if exp > 0 {
		dst = append(dst, '+')
	}
	return strconv.AppendInt(dst, int64(exp), 10)
}
