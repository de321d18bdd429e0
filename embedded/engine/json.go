package engine

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

type jsonKind uint8

const (
	jsonNull jsonKind = iota
	jsonBool
	jsonNumber
	jsonString
	jsonArray
	jsonObject
)

// jsonValue is a parsed JSON value that keeps the order of members. Of equal
// keys the last one wins, at the place of the first.
type jsonValue struct {
	kind  jsonKind
	text  string // the string, or the number or bool as it prints
	num   float64
	items []jsonValue
	keys  []string // beside items, for objects
}

// maxJSONDepth is the nesting a real server's decoder accepts.
const maxJSONDepth = 127

var (
	errJSONSyntax = errors.New("malformed JSON")
	errJSONDepth  = errors.New("recursion limit exceeded")
	errJSONNumber = errors.New("number out of range")
)

// parseJSON reads exactly one value.
func parseJSON(b []byte) (jsonValue, error) {
	p := jsonParser{b: b}
	v, err := p.value(0)
	if err != nil {
		return jsonValue{}, err
	}
	p.space()
	if p.i != len(p.b) {
		return jsonValue{}, errJSONSyntax
	}
	return v, nil
}

type jsonParser struct {
	b []byte
	i int
}

func (p *jsonParser) space() {
	for p.i < len(p.b) {
		switch p.b[p.i] {
		case ' ', '\t', '\r', '\n':
			p.i++
		default:
			return
		}
	}
}

func (p *jsonParser) peek() byte {
	p.space()
	if p.i < len(p.b) {
		return p.b[p.i]
	}
	return 0
}

func (p *jsonParser) literal(s string, v jsonValue) (jsonValue, error) {
	if len(p.b)-p.i < len(s) || string(p.b[p.i:p.i+len(s)]) != s {
		return jsonValue{}, errJSONSyntax
	}
	p.i += len(s)
	return v, nil
}

func (p *jsonParser) value(depth int) (jsonValue, error) {
	if depth > maxJSONDepth {
		return jsonValue{}, errJSONDepth
	}
	switch c := p.peek(); {
	case c == '"':
		s, err := p.string()
		return jsonValue{kind: jsonString, text: s}, err
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == 't':
		return p.literal("true", jsonValue{kind: jsonBool, text: "true"})
	case c == 'f':
		return p.literal("false", jsonValue{kind: jsonBool, text: "false"})
	case c == 'n':
		return p.literal("null", jsonValue{})
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	default:
		return jsonValue{}, errJSONSyntax
	}
}

func (p *jsonParser) array(depth int) (jsonValue, error) {
	v := jsonValue{kind: jsonArray}
	p.i++
	if p.peek() == ']' {
		p.i++
		return v, nil
	}
	for {
		item, err := p.value(depth + 1)
		if err != nil {
			return v, err
		}
		v.items = append(v.items, item)
		switch p.peek() {
		case ',':
			p.i++
		case ']':
			p.i++
			return v, nil
		default:
			return v, errJSONSyntax
		}
	}
}

func (p *jsonParser) object(depth int) (jsonValue, error) {
	v := jsonValue{kind: jsonObject}
	p.i++
	if p.peek() == '}' {
		p.i++
		return v, nil
	}
	var index map[string]int // only for large objects
	for {
		if p.peek() != '"' {
			return v, errJSONSyntax
		}
		key, err := p.string()
		if err != nil {
			return v, err
		}
		if p.peek() != ':' {
			return v, errJSONSyntax
		}
		p.i++
		item, err := p.value(depth + 1)
		if err != nil {
			return v, err
		}
		if len(v.keys) == 32 && index == nil {
			index = make(map[string]int, 64)
			for i, k := range v.keys {
				index[k] = i
			}
		}
		at := -1
		if index != nil {
			if i, ok := index[key]; ok {
				at = i
			} else {
				index[key] = len(v.keys)
			}
		} else {
			for i, k := range v.keys {
				if k == key {
					at = i
				}
			}
		}
		if at >= 0 {
			v.items[at] = item
		} else {
			v.keys = append(v.keys, key)
			v.items = append(v.items, item)
		}
		switch p.peek() {
		case ',':
			p.i++
		case '}':
			p.i++
			return v, nil
		default:
			return v, errJSONSyntax
		}
	}
}

// string reads a quoted string; bytes that are no UTF-8 become U+FFFD.
func (p *jsonParser) string() (string, error) {
	p.i++
	start := p.i
	for p.i < len(p.b) {
		switch c := p.b[p.i]; {
		case c == '"':
			s := p.b[start:p.i]
			p.i++
			return strings.ToValidUTF8(string(s), "\uFFFD"), nil
		case c == '\\':
			return p.escaped(start)
		case c < 0x20:
			return "", errJSONSyntax
		}
		p.i++
	}
	return "", errJSONSyntax
}

func (p *jsonParser) escaped(start int) (string, error) {
	out := append([]byte(nil), p.b[start:p.i]...)
	for p.i < len(p.b) {
		c := p.b[p.i]
		p.i++
		switch {
		case c == '"':
			return strings.ToValidUTF8(string(out), "\uFFFD"), nil
		case c < 0x20:
			return "", errJSONSyntax
		case c != '\\':
			out = append(out, c)
			continue
		}
		if p.i >= len(p.b) {
			break
		}
		c = p.b[p.i]
		p.i++
		switch c {
		case '"', '\\', '/':
			out = append(out, c)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, ok := p.hex4()
			if !ok {
				return "", errJSONSyntax
			}
			if utf16.IsSurrogate(r) {
				r = p.lowSurrogate(r)
			}
			out = utf8.AppendRune(out, r)
		default:
			return "", errJSONSyntax
		}
	}
	return "", errJSONSyntax
}

func (p *jsonParser) hex4() (rune, bool) {
	if len(p.b)-p.i < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(p.b[p.i:p.i+4]), 16, 32)
	if err != nil {
		return 0, false
	}
	p.i += 4
	return rune(n), true
}

func (p *jsonParser) lowSurrogate(high rune) rune {
	if len(p.b)-p.i >= 6 && p.b[p.i] == '\\' && p.b[p.i+1] == 'u' {
		save := p.i
		p.i += 2
		if low, ok := p.hex4(); ok {
			if r := utf16.DecodeRune(high, low); r != utf8.RuneError {
				return r
			}
		}
		p.i = save
	}
	return utf8.RuneError
}

func (p *jsonParser) digits() int {
	start := p.i
	for p.i < len(p.b) && p.b[p.i] >= '0' && p.b[p.i] <= '9' {
		p.i++
	}
	return p.i - start
}

// number reads a number and keeps the text a real server would print: integers
// that fit 64 bits as they are, everything else as the shortest float.
func (p *jsonParser) number() (jsonValue, error) {
	start := p.i
	integer := true
	if p.b[p.i] == '-' {
		p.i++
	}
	if p.i < len(p.b) && p.b[p.i] == '0' {
		p.i++
	} else if p.digits() == 0 {
		return jsonValue{}, errJSONSyntax
	}
	if p.i < len(p.b) && p.b[p.i] == '.' {
		integer = false
		p.i++
		if p.digits() == 0 {
			return jsonValue{}, errJSONSyntax
		}
	}
	if p.i < len(p.b) && (p.b[p.i] == 'e' || p.b[p.i] == 'E') {
		integer = false
		p.i++
		if p.i < len(p.b) && (p.b[p.i] == '+' || p.b[p.i] == '-') {
			p.i++
		}
		if p.digits() == 0 {
			return jsonValue{}, errJSONSyntax
		}
	}
	text := string(p.b[start:p.i])
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && math.IsInf(f, 0) {
		return jsonValue{}, errJSONNumber
	}
	if integer && text != "-0" {
		_, errI := strconv.ParseInt(text, 10, 64)
		_, errU := strconv.ParseUint(text, 10, 64)
		if errI == nil || errU == nil {
			return jsonValue{kind: jsonNumber, text: text, num: f}, nil
		}
	}
	return jsonValue{kind: jsonNumber, text: string(appendFloat(nil, f)), num: f}, nil
}

// appendFloat prints a float as a real server does: always with a point or an
// exponent, which it has from 1e+16 on and below 1e-5.
func appendFloat(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, "null"...)
	}
	abs := math.Abs(f)
	if abs == 0 || abs >= 1e-5 && abs < 1e16 {
		start := len(b)
		b = strconv.AppendFloat(b, f, 'f', -1, 64)
		if !strings.Contains(string(b[start:]), ".") {
			b = append(b, '.', '0')
		}
		return b
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	mantissa, exponent, _ := strings.Cut(s, "e")
	return append(b, mantissa+"e"+exponent[:1]+strings.TrimLeft(exponent[1:], "0")...)
}

// appendTo prints the value without white space.
func (v *jsonValue) appendTo(b []byte) []byte {
	switch v.kind {
	case jsonNull:
		return append(b, "null"...)
	case jsonBool, jsonNumber:
		return append(b, v.text...)
	case jsonString:
		return appendString(b, v.text)
	case jsonArray:
		b = append(b, '[')
		for i := range v.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = v.items[i].appendTo(b)
		}
		return append(b, ']')
	default:
		b = append(b, '{')
		for i := range v.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, v.keys[i])
			b = append(b, ':')
			b = v.items[i].appendTo(b)
		}
		return append(b, '}')
	}
}

// get returns the member of an object, nil when there is none.
func (v *jsonValue) get(key string) *jsonValue {
	if v.kind != jsonObject {
		return nil
	}
	for i, k := range v.keys {
		if k == key {
			return &v.items[i]
		}
	}
	return nil
}

const hexDigits = "0123456789abcdef"

// appendString quotes a string with the fewest escapes JSON allows.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
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
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// appendFloat32 prints a number of a vector, with the digits it has as a wider
// number.
func appendFloat32(b []byte, f float32) []byte {
	return appendFloat(b, float64(f))
}
