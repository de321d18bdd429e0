package rawjson

import (
	"bytes"
	"unicode/utf8"
)

// Message texts of serde_json; Meilisearch hands them to clients, so they are part of its API.
const (
	msgEOFList       = "EOF while parsing a list"
	msgEOFObject     = "EOF while parsing an object"
	msgEOFString     = "EOF while parsing a string"
	msgEOFValue      = "EOF while parsing a value"
	msgColon         = "expected `:`"
	msgListComma     = "expected `,` or `]`"
	msgObjectComma   = "expected `,` or `}`"
	msgIdent         = "expected ident"
	msgValue         = "expected value"
	msgEscape        = "invalid escape"
	msgNumber        = "invalid number"
	msgRange         = "number out of range"
	msgUnicode       = "invalid unicode code point"
	msgControl       = `control character (\u0000-\u001F) found while parsing a string`
	msgKey           = "key must be a string"
	msgLoneSurrogate = "lone leading surrogate in hex escape"
	msgHexEnd        = "unexpected end of hex escape"
	msgTrailingComma = "trailing comma"
	msgTrailing      = "trailing characters"
	msgRecursion     = "recursion limit exceeded"
)

// explainer walks text slowly to say what is wrong with it and where. In raw mode it follows the rules serde_json has
// for text it only passes over, which differ in what is accepted and in a few messages.
type explainer struct {
	data []byte
	i    int
	raw  bool
}

// at makes an error about the byte before the current position, the last one taken.
func (x *explainer) at(msg string) *SyntaxError { return newError(x.data, x.i, msg) }

// peek makes an error about the byte at the current position, looked at but not taken.
func (x *explainer) peek(msg string) *SyntaxError {
	return newError(x.data, min(len(x.data), x.i+1), msg)
}

func newError(data []byte, i int, msg string) *SyntaxError {
	start := bytes.LastIndexByte(data[:i], '\n') + 1
	return &SyntaxError{Msg: msg, Offset: i, Line: 1 + bytes.Count(data[:start], []byte{'\n'}), Column: i - start}
}

// space moves to the next byte that matters; 0 and false at the end of the text.
func (x *explainer) space() (c byte, ok bool) {
	x.i = SkipSpace(x.data, x.i)
	return x.cur()
}

func (x *explainer) cur() (c byte, ok bool) {
	if x.i < len(x.data) {
		return x.data[x.i], true
	}
	return 0, false
}

func (x *explainer) trailing() error {
	if _, more := x.space(); more {
		return x.peek(msgTrailing)
	}
	return nil
}

// value walks one value; depth containers are open around it.
func (x *explainer) value(depth int) *SyntaxError {
	var open []byte // opening brackets
	for {
		c, ok := x.space()
		if !ok {
			return x.peek(msgEOFValue)
		}
		if c == '[' || c == '{' {
			if !x.raw && depth+len(open) >= MaxDepth {
				return x.peek(msgRecursion)
			}
			open = append(open, c)
			x.i++
			first, err := x.first(c)
			if err != nil {
				return err
			}
			if first {
				continue
			}
			x.i++
			open = open[:len(open)-1]
		} else if err := x.scalar(c); err != nil {
			return err
		}
		for {
			if len(open) == 0 {
				return nil
			}
			more, err := x.next(open[len(open)-1])
			if err != nil {
				return err
			}
			if more {
				break
			}
			open = open[:len(open)-1]
		}
	}
}

// first stands behind an opening bracket; it reports whether a value follows (behind its key, in an object).
func (x *explainer) first(open byte) (bool, *SyntaxError) {
	c, ok := x.space()
	switch {
	case !ok && open == '[':
		return false, x.peek(msgEOFList)
	case !ok:
		return false, x.peek(msgEOFObject)
	case c == open+2:
		return false, nil
	case open == '[':
		return true, nil
	}
	return true, x.key(c)
}

// next stands behind a value in a container; it reports whether another value follows, else it has taken the bracket.
func (x *explainer) next(open byte) (bool, *SyntaxError) {
	c, ok := x.space()
	switch {
	case !ok && open == '[':
		return false, x.peek(msgEOFList)
	case !ok:
		return false, x.peek(msgEOFObject)
	case c == open+2:
		x.i++
		return false, nil
	case c != ',' && open == '[':
		return false, x.peek(msgListComma)
	case c != ',':
		return false, x.peek(msgObjectComma)
	}
	x.i++
	c, ok = x.space()
	if !x.raw {
		if !ok {
			return false, x.peek(msgEOFValue)
		}
		if c == open+2 {
			return false, x.peek(msgTrailingComma)
		}
	}
	if open == '[' {
		return true, nil
	}
	if !ok {
		return false, x.peek(msgEOFObject)
	}
	return true, x.key(c)
}

// key takes `"key" :`; c is the byte at the current position.
func (x *explainer) key(c byte) *SyntaxError {
	if c != '"' {
		return x.peek(msgKey)
	}
	if err := x.quoted(); err != nil {
		return err
	}
	c, ok := x.space()
	if !ok {
		return x.peek(msgEOFObject)
	}
	if c != ':' {
		return x.peek(msgColon)
	}
	x.i++
	return nil
}

func (x *explainer) scalar(c byte) *SyntaxError {
	switch {
	case c == '"':
		return x.quoted()
	case c == 't':
		return x.word("true")
	case c == 'f':
		return x.word("false")
	case c == 'n':
		return x.word("null")
	case c == '-' || c-'0' <= 9:
		return x.number()
	}
	return x.peek(msgValue)
}

func (x *explainer) word(w string) *SyntaxError {
	for k := 1; k < len(w); k++ {
		x.i++
		c, ok := x.cur()
		if !ok {
			return x.at(msgEOFValue)
		}
		if c != w[k] {
			x.i++
			return x.at(msgIdent)
		}
	}
	x.i++
	return nil
}

func (x *explainer) number() *SyntaxError {
	start := x.i
	if x.data[x.i] == '-' {
		x.i++
	}
	c, ok := x.cur()
	if !ok && !x.raw {
		return x.at(msgEOFValue)
	}
	if !ok {
		return x.at(msgNumber)
	}
	x.i++
	switch {
	case c == '0':
		if d, ok := x.cur(); ok && d-'0' <= 9 {
			return x.peek(msgNumber)
		}
	case c-'1' <= 8:
		x.i = skipDigits(x.data, x.i)
	default:
		return x.at(msgNumber)
	}
	if c, _ := x.cur(); c == '.' {
		x.i++
		end := skipDigits(x.data, x.i)
		if end == x.i {
			if _, ok := x.cur(); !ok && !x.raw {
				return x.peek(msgEOFValue)
			}
			return x.peek(msgNumber)
		}
		x.i = end
	}
	if c, _ := x.cur(); c|0x20 == 'e' {
		if err := x.exponent(start); err != nil {
			return err
		}
	}
	if !x.raw && !numberInRange(x.data[start:x.i]) {
		return x.at(msgRange)
	}
	return nil
}

// exponent takes the exponent part from its letter on; start is where the number began.
func (x *explainer) exponent(start int) *SyntaxError {
	x.i++
	negative := false
	if c, _ := x.cur(); c == '+' || c == '-' {
		negative = c == '-'
		x.i++
	}
	c, ok := x.cur()
	if !ok && !x.raw {
		return x.at(msgEOFValue)
	}
	if !ok {
		return x.at(msgNumber)
	}
	x.i++
	if c-'0' > 9 {
		return x.at(msgNumber)
	}
	// serde gives up on an exponent at the digit that makes it overflow, before it has seen the rest.
	digits := x.i - 1
	for exp := int64(c - '0'); ; x.i++ {
		c, ok := x.cur()
		if !ok || c-'0' > 9 {
			return nil
		}
		exp = exp*10 + int64(c-'0')
		if exp > 1<<31-1 {
			if x.i++; !x.raw && !negative && !numberInRange(append(x.data[start:digits:digits], "999999"...)) {
				return x.at(msgRange)
			}
			x.i = skipDigits(x.data, x.i)
			return nil
		}
	}
}

// quoted takes a string from its opening quote.
func (x *explainer) quoted() *SyntaxError {
	if c, ok := x.cur(); !ok || c != '"' {
		return x.peek(msgValue)
	}
	x.i++
	start := x.i
	for {
		c, ok := x.cur()
		switch {
		case !ok:
			return x.at(msgEOFString)
		case c == '"':
			x.i++
			if !x.raw && !utf8.Valid(x.data[start:x.i-1]) {
				return x.at(msgUnicode)
			}
			return nil
		case c == '\\':
			x.i++
			if err := x.escape(); err != nil {
				return err
			}
		case c < ' ':
			if !x.raw {
				x.i++
			}
			return x.at(msgControl)
		default:
			x.i++
		}
	}
}

// escape takes what follows a backslash.
func (x *explainer) escape() *SyntaxError {
	c, ok := x.cur()
	if !ok {
		return x.at(msgEOFString)
	}
	x.i++
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return nil
	case 'u':
	default:
		return x.at(msgEscape)
	}
	u, err := x.hex()
	if err != nil || x.raw || u < 0xD800 || u >= 0xE000 {
		return err
	}
	if u >= 0xDC00 {
		return x.at(msgLoneSurrogate)
	}
	for _, want := range []byte{'\\', 'u'} {
		c, ok := x.cur()
		if !ok {
			return x.at(msgEOFString)
		}
		x.i++
		if c != want {
			return x.at(msgHexEnd)
		}
	}
	if u, err = x.hex(); err == nil && (u < 0xDC00 || u >= 0xE000) {
		return x.at(msgLoneSurrogate)
	}
	return err
}

func (x *explainer) hex() (int, *SyntaxError) {
	if len(x.data)-x.i < 4 {
		x.i = len(x.data)
		return 0, x.at(msgEOFString)
	}
	u := hex4(x.data, x.i)
	x.i += 4
	if u < 0 {
		return 0, x.at(msgEscape)
	}
	return u, nil
}

// rawValue takes a value by the raw rules, then asks for UTF-8 in all of it.
func (x *explainer) rawValue() *SyntaxError {
	x.space()
	start := x.i
	if err := x.value(0); err != nil {
		return err
	}
	if !utf8.Valid(x.data[start:x.i]) {
		return x.at(msgUnicode)
	}
	return nil
}

// rawObject takes an object whose keys are real strings and whose values are raw.
func (x *explainer) rawObject() *SyntaxError {
	if c, ok := x.space(); !ok || c != '{' {
		return x.peek(msgValue)
	}
	x.i++
	more, err := x.first('{')
	for more && err == nil {
		x.raw = true
		if err = x.value(0); err == nil {
			x.raw = false
			more, err = x.next('{')
		}
	}
	return err
}
