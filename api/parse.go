package api

import (
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep arrays and objects may nest, as in Meilisearch.
const maxDepth = 127

// SyntaxError says why bytes are not JSON, in the words of Meilisearch's parser.
type SyntaxError struct {
	Reason       string
	Line, Column int
}

// Error returns the reason followed by the place, as it appears inside `malformed_payload` texts.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s at line %d column %d", e.Reason, e.Line, e.Column)
}

// ParseJSON decodes exactly one JSON value. The error, if any, is a *SyntaxError.
func ParseJSON(data []byte) (Value, error) {
	p := parser{in: data}
	v, err := p.value(0)
	if err != nil {
		return Value{}, err
	}
	p.space()
	if p.at < len(p.in) {
		return Value{}, p.peekError("trailing characters")
	}
	return v, nil
}

// ParseBody is ParseJSON for a request body: the error is the answer to the client.
func ParseBody(body []byte) (Value, *Error) {
	v, err := ParseJSON(body)
	if err == nil {
		return v, nil
	}
	if len(body) == 0 {
		return Value{}, MissingPayload("json")
	}
	return Value{}, MalformedJSON(err.Error())
}

type parser struct {
	in []byte
	at int
}

// position counts as Meilisearch's parser does: the column is the number of bytes since the last line break.
func (p *parser) errorAt(index int, reason string) error {
	index = min(index, len(p.in))
	line, start := 1, 0
	for i, c := range p.in[:index] {
		if c == '\n' {
			line, start = line+1, i+1
		}
	}
	return &SyntaxError{Reason: reason, Line: line, Column: index - start}
}

func (p *parser) peekError(reason string) error { return p.errorAt(p.at+1, reason) }

func (p *parser) space() {
	for p.at < len(p.in) {
		switch p.in[p.at] {
		case ' ', '\n', '\t', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *parser) value(depth int) (Value, error) {
	p.space()
	if p.at >= len(p.in) {
		return Value{}, p.peekError("EOF while parsing a value")
	}
	start := p.at
	var v Value
	var err error
	switch c := p.in[p.at]; {
	case c == 'n':
		err = p.ident("null")
	case c == 't':
		v.Kind, v.Bool, err = Boolean, true, p.ident("true")
	case c == 'f':
		v.Kind, err = Boolean, p.ident("false")
	case c == '"':
		v.Kind = String
		v.Str, err = p.str()
	case c == '-' || c >= '0' && c <= '9':
		v, err = p.number()
	case c == '[' || c == '{':
		if depth >= maxDepth {
			return Value{}, p.peekError("recursion limit exceeded")
		}
		if c == '[' {
			v, err = p.array(depth + 1)
		} else {
			v, err = p.object(depth + 1)
		}
	default:
		err = p.peekError("expected value")
	}
	if err != nil {
		return Value{}, err
	}
	v.Raw = p.in[start:p.at:p.at]
	return v, nil
}

func (p *parser) ident(word string) error {
	for i := 0; i < len(word); i++ {
		if p.at >= len(p.in) {
			return p.errorAt(p.at, "EOF while parsing a value")
		}
		c := p.in[p.at]
		p.at++
		if c != word[i] {
			return p.errorAt(p.at, "expected ident")
		}
	}
	return nil
}

func (p *parser) digits() int {
	start := p.at
	for p.at < len(p.in) && p.in[p.at] >= '0' && p.in[p.at] <= '9' {
		p.at++
	}
	return p.at - start
}

func (p *parser) badNumber() error {
	if p.at >= len(p.in) {
		return p.errorAt(p.at, "EOF while parsing a value")
	}
	return p.peekError("invalid number")
}

func (p *parser) number() (Value, error) {
	start, float := p.at, false
	if p.in[p.at] == '-' {
		p.at++
	}
	first := p.at
	if p.digits() == 0 {
		return Value{}, p.badNumber()
	}
	if p.in[first] == '0' && p.at-first > 1 {
		p.at = first + 1
		return Value{}, p.peekError("invalid number")
	}
	if p.at < len(p.in) && p.in[p.at] == '.' {
		float = true
		p.at++
		if p.digits() == 0 {
			return Value{}, p.badNumber()
		}
	}
	if p.at < len(p.in) && (p.in[p.at] == 'e' || p.in[p.at] == 'E') {
		float = true
		p.at++
		if p.at < len(p.in) && (p.in[p.at] == '+' || p.in[p.at] == '-') {
			p.at++
		}
		if p.digits() == 0 {
			return Value{}, p.badNumber()
		}
	}
	return p.makeNumber(string(p.in[start:p.at]), float)
}

func (p *parser) makeNumber(text string, float bool) (Value, error) {
	if !float && text != "-0" {
		if text[0] == '-' {
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				return Value{Kind: NegativeInteger, Int: n, Num: float64(n)}, nil
			}
		} else if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			return Value{Kind: Integer, Uint: n, Num: float64(n)}, nil
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return Value{}, p.errorAt(p.at, "number out of range")
	}
	return Value{Kind: Float, Num: f}, nil
}

func (p *parser) array(depth int) (Value, error) {
	p.at++
	v := Value{Kind: Array, Arr: []Value{}}
	for {
		p.space()
		if p.at >= len(p.in) {
			return Value{}, p.peekError("EOF while parsing a list")
		}
		switch {
		case p.in[p.at] == ']' && len(v.Arr) == 0:
			p.at++
			return v, nil
		case len(v.Arr) == 0:
		case p.in[p.at] == ']':
			p.at++
			return v, nil
		case p.in[p.at] == ',':
			p.at++
			p.space()
			if p.at < len(p.in) && p.in[p.at] == ']' {
				return Value{}, p.peekError("trailing comma")
			}
		default:
			return Value{}, p.peekError("expected `,` or `]`")
		}
		item, err := p.value(depth)
		if err != nil {
			return Value{}, err
		}
		v.Arr = append(v.Arr, item)
	}
}

func (p *parser) object(depth int) (Value, error) {
	p.at++
	v := Value{Kind: Object, Obj: []Member{}}
	var seen map[string]int
	for first := true; ; first = false {
		done, err := p.nextKey(first)
		if err != nil || done {
			return v, err
		}
		key, err := p.str()
		if err != nil {
			return Value{}, err
		}
		p.space()
		if p.at >= len(p.in) {
			return Value{}, p.peekError("EOF while parsing an object")
		}
		if p.in[p.at] != ':' {
			return Value{}, p.peekError("expected `:`")
		}
		p.at++
		item, err := p.value(depth)
		if err != nil {
			return Value{}, err
		}
		if seen == nil {
			seen = make(map[string]int)
		}
		if i, dup := seen[key]; dup {
			v.Obj[i].Value = item
			continue
		}
		seen[key] = len(v.Obj)
		v.Obj = append(v.Obj, Member{Key: key, Value: item})
	}
}

// nextKey moves to the quote of the next key, or over the closing brace.
func (p *parser) nextKey(first bool) (done bool, err error) {
	p.space()
	if p.at >= len(p.in) {
		return false, p.peekError("EOF while parsing an object")
	}
	if p.in[p.at] == '}' {
		p.at++
		return true, nil
	}
	if !first {
		if p.in[p.at] != ',' {
			return false, p.peekError("expected `,` or `}`")
		}
		p.at++
		p.space()
		if p.at >= len(p.in) {
			return false, p.peekError("EOF while parsing a value")
		}
		if p.in[p.at] == '}' {
			return false, p.peekError("trailing comma")
		}
	}
	if p.in[p.at] != '"' {
		return false, p.peekError("key must be a string")
	}
	return false, nil
}

func (p *parser) str() (string, error) {
	p.at++
	start := p.at
	var buf []byte
	for {
		if p.at >= len(p.in) {
			return "", p.errorAt(p.at, "EOF while parsing a string")
		}
		switch c := p.in[p.at]; {
		case c == '"':
			part := p.in[start:p.at]
			p.at++
			if buf == nil {
				return p.checked(string(part))
			}
			return p.checked(string(append(buf, part...)))
		case c == '\\':
			buf = append(buf, p.in[start:p.at]...)
			if buf == nil {
				buf = []byte{}
			}
			p.at++
			var err error
			if buf, err = p.escape(buf); err != nil {
				return "", err
			}
			start = p.at
		case c < 0x20:
			p.at++
			return "", p.errorAt(p.at, `control character (\u0000-\u001F) found while parsing a string`)
		default:
			p.at++
		}
	}
}

func (p *parser) checked(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", p.errorAt(p.at, "invalid unicode code point")
	}
	return s, nil
}

var escapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (p *parser) escape(buf []byte) ([]byte, error) {
	if p.at >= len(p.in) {
		return nil, p.errorAt(p.at, "EOF while parsing a string")
	}
	c := p.in[p.at]
	p.at++
	if plain, ok := escapes[c]; ok {
		return append(buf, plain), nil
	}
	if c != 'u' {
		return nil, p.errorAt(p.at, "invalid escape")
	}
	r, err := p.hex4()
	if err != nil {
		return nil, err
	}
	if r >= 0xDC00 && r <= 0xDFFF {
		return nil, p.errorAt(p.at, "lone leading surrogate in hex escape")
	}
	if r >= 0xD800 && r <= 0xDBFF {
		if p.at+1 >= len(p.in) || p.in[p.at] != '\\' || p.in[p.at+1] != 'u' {
			return nil, p.errorAt(p.at+1, "unexpected end of hex escape")
		}
		p.at += 2
		low, err := p.hex4()
		if err != nil {
			return nil, err
		}
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return nil, p.errorAt(p.at, "lone leading surrogate in hex escape")
		}
	}
	return utf8.AppendRune(buf, r), nil
}

func (p *parser) hex4() (rune, error) {
	if p.at+4 > len(p.in) {
		p.at = len(p.in)
		return 0, p.errorAt(p.at, "EOF while parsing a string")
	}
	n, err := strconv.ParseUint(string(p.in[p.at:p.at+4]), 16, 32)
	p.at += 4
	if err != nil {
		return 0, p.errorAt(p.at, "invalid escape")
	}
	return rune(n), nil
}
