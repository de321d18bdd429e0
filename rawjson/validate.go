package rawjson

// Validate reports whether data is exactly one JSON value, white space around it allowed. The error, if any, is a
// *SyntaxError with serde_json's text and position. It does not allocate when the text is valid.
func Validate(data []byte) error {
	end := validValue(data, 0, 0)
	if end >= 0 && SkipSpace(data, end) == len(data) {
		return nil
	}
	x := explainer{data: data}
	if err := x.value(0); err != nil {
		return err
	}
	return x.trailing()
}

// ValidateValue strictly checks the one value that starts at or after i and returns the index just behind it. depth is
// the number of containers that count as open around it; -1 gives the value one level more than MaxDepth, for a container
// that does not count itself. The error is a *SyntaxError positioned in data as a whole.
func ValidateValue(data []byte, i, depth int) (end int, err error) {
	if end = validValue(data, i, depth); end >= 0 {
		return end, nil
	}
	x := explainer{data: data, i: i}
	if e := x.value(depth); e != nil {
		return 0, e
	}
	return x.i, nil
}

// ValidateString strictly checks the string whose opening quote is at i. It returns the index behind the closing quote
// and whether the string holds a backslash, which tells whether its raw bytes are its content.
func ValidateString(data []byte, i int) (end int, escaped bool, err error) {
	if uint(i) < uint(len(data)) && data[i] == '"' {
		if end, escaped = validString(data, i+1); end >= 0 {
			return end, escaped, nil
		}
	}
	x := explainer{data: data, i: i}
	if e := x.quoted(); e != nil {
		return 0, false, e
	}
	return x.i, escaped, nil
}

// ScanValue is ValidateValue for hot loops: the index behind the value, or -1 with no reason given.
func ScanValue(data []byte, i, depth int) (end int) { return validValue(data, i, depth) }

// ScanString is ValidateString for hot loops: data[i] must be the opening quote; end is -1, with no reason given, if the
// string is not well formed.
func ScanString(data []byte, i int) (end int, escaped bool) { return validString(data, i+1) }

// ErrorAt returns a SyntaxError with the message msg about the byte at offset i, or about the end of data.
func ErrorAt(data []byte, i int, msg string) *SyntaxError {
	return newError(data, max(0, min(len(data), i+1)), msg)
}

// ValidateRaw checks the value at or after i by the looser rule that serde_json applies to text it keeps raw: any depth,
// any \u escape, any number size, but valid UTF-8 overall. Meilisearch checks the documents of arrays and NDJSON this
// way first, so this gives the error it would give. It is for explaining a refusal and is not fast.
func ValidateRaw(data []byte, i int) (end int, err error) {
	x := explainer{data: data, i: i, raw: true}
	if e := x.rawValue(); e != nil {
		return 0, e
	}
	return x.i, nil
}

// ValidateRawObject is ValidateRaw's second step: text, which ValidateRaw has accepted and which starts with '{', must
// have keys that are strings of real characters. The position is inside text, not inside the payload around it.
func ValidateRawObject(text []byte) error {
	x := explainer{data: text}
	if e := x.rawObject(); e != nil {
		return e
	}
	return nil
}

// validValue is the fast accept-or-refuse pass: the index behind the value, or -1. Why it was refused is found by the
// explainer, which may be slow because it runs at most once per request.
//
//nolint:cyclop,funlen,gocognit // one loop over labels: calls per value or state would cost a third of the speed
func validValue(data []byte, i, depth int) int {
	var (
		kinds   [MaxDepth/64 + 1]uint64 // one bit per open container, set for an object
		open    int                     // containers opened here
		inObj   bool                    // kind of the innermost one
		room    = MaxDepth - max(depth, -1)
		c       byte
		closing byte
	)
value:
	i = SkipSpace(data, i)
	if uint(i) >= uint(len(data)) {
		return -1
	}
	c = data[i]
	switch {
	case c == '"':
		if i, _ = validString(data, i+1); i < 0 {
			return -1
		}
	case c == '{' || c == '[':
		if open >= room {
			return -1
		}
		if inObj {
			kinds[uint(open)>>6&1] |= 1 << (uint(open) & 63)
		} else {
			kinds[uint(open)>>6&1] &^= 1 << (uint(open) & 63)
		}
		open++
		inObj = c == '{'
		closing = c + 2 // '}' and ']' stand two behind their openers
		i = SkipSpace(data, i+1)
		if uint(i) >= uint(len(data)) {
			return -1
		}
		if data[i] == closing {
			goto end
		}
		if inObj {
			goto key
		}
		goto value
	case c == '-' || c-'0' <= 9:
		if i = validNumber(data, i); i < 0 {
			return -1
		}
	default:
		if i = validWord(data, i); i < 0 {
			return -1
		}
	}
after:
	if open == 0 {
		return i
	}
	i = SkipSpace(data, i)
	if uint(i) >= uint(len(data)) {
		return -1
	}
	if data[i] == ',' {
		i++
		if inObj {
			goto key
		}
		goto value
	}
	closing = ']'
	if inObj {
		closing = '}'
	}
	if data[i] != closing {
		return -1
	}
end:
	i++
	open--
	inObj = kinds[uint(open)>>6&1]>>(uint(open)&63)&1 != 0
	goto after
key:
	if i = validKey(data, i); i < 0 {
		return -1
	}
	goto value
}

// validKey checks `"key" :` from i and returns the index behind the colon, or -1.
func validKey(data []byte, i int) int {
	i = SkipSpace(data, i)
	if uint(i) >= uint(len(data)) || data[i] != '"' {
		return -1
	}
	if i, _ = validString(data, i+1); i < 0 {
		return -1
	}
	if uint(i) < uint(len(data)) && data[i] == ':' {
		return i + 1
	}
	i = SkipSpace(data, i)
	if uint(i) >= uint(len(data)) || data[i] != ':' {
		return -1
	}
	return i + 1
}

func validWord(data []byte, i int) int {
	if len(data)-i < 4 {
		return -1
	}
	switch data[i] {
	case 't':
		if string(data[i:i+4]) == "true" {
			return i + 4
		}
	case 'n':
		if string(data[i:i+4]) == "null" {
			return i + 4
		}
	case 'f':
		if len(data)-i >= 5 && string(data[i:i+5]) == "false" {
			return i + 5
		}
	}
	return -1
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }
