package rawjson

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string, quotes included, escaped the way serde_json writes strings: only what must
// be escaped is, in the short form where there is one, and nothing for the sake of HTML. Bytes of s that are not UTF-8
// become U+FFFD, one for each run of them.
func AppendString[S ~string | ~[]byte](dst []byte, s S) []byte {
	dst = append(dst, '"')
	base := len(dst)
	dst = append(dst, s...)
	if !plain(dst[base:]) {
		dst = appendQuotedSlow(dst[:base], []byte(s))
	}
	return append(dst, '"')
}

// plain reports whether b may stand between quotes as it is.
func plain(b []byte) bool {
	var high uint64
	i := 0
	for ; len(b)-i >= 8; i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		if stops(w) != 0 {
			return false
		}
		high |= w
	}
	for ; i < len(b); i++ {
		c := b[i]
		if c < ' ' || c == '"' || c == '\\' {
			return false
		}
		high |= uint64(c)
	}
	return high&highs == 0 || ValidUTF8(b)
}

// appendQuotedSlow appends s with everything escaped that must be.
func appendQuotedSlow(dst, s []byte) []byte {
	if !ValidUTF8(s) {
		s = bytes.ToValidUTF8(s, []byte("\uFFFD"))
	}
	from, i := 0, 0
	for {
		for len(s)-i >= 8 {
			m := stops(binary.LittleEndian.Uint64(s[i:]))
			if m != 0 {
				i += bits.TrailingZeros64(m) >> 3
				break
			}
			i += 8
		}
		for uint(i) < uint(len(s)) && s[i] >= ' ' && s[i] != '"' && s[i] != '\\' {
			i++
		}
		dst = append(dst, s[from:i]...)
		if i >= len(s) {
			return dst
		}
		dst = appendEscaped(dst, s[i])
		i++
		from = i
	}
}

func appendEscaped(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// AppendUnquoted appends the content of the JSON string quoted, which includes its quotes. Surrogates that have no
// partner become U+FFFD. The error is ErrStructure when quoted is not a string or has a broken escape; dst is then
// returned as it was.
func AppendUnquoted(dst, quoted []byte) ([]byte, error) {
	if len(quoted) < 2 || quoted[0] != '"' || SkipString(quoted, 0) != len(quoted) {
		return dst, ErrStructure
	}
	return appendUnescaped(dst, quoted[1:len(quoted)-1])
}

// Unquote returns the name that a raw key (the text between the quotes) stands for. A broken escape gives ErrStructure.
func Unquote(rawKey []byte) (string, error) {
	if bytes.IndexByte(rawKey, '\\') < 0 {
		return string(rawKey), nil
	}
	b, err := appendUnescaped(nil, rawKey)
	return string(b), err
}

func appendUnescaped(dst, raw []byte) ([]byte, error) {
	base := len(dst)
	for i := 0; i < len(raw); {
		n := bytes.IndexByte(raw[i:], '\\')
		if n < 0 {
			return append(dst, raw[i:]...), nil
		}
		dst = append(dst, raw[i:i+n]...)
		if dst, i = appendEscape(dst, raw, i+n); i < 0 {
			return dst[:base], ErrStructure
		}
	}
	return dst, nil
}

// appendEscape appends what the escape at raw[i] (a backslash) stands for and returns the index behind it, -1 if it is
// broken.
func appendEscape(dst, raw []byte, i int) (out []byte, next int) {
	if uint(i+1) >= uint(len(raw)) {
		return dst, -1
	}
	switch c := raw[i+1]; c {
	case '"', '\\', '/':
		return append(dst, c), i + 2
	case 'b':
		return append(dst, '\b'), i + 2
	case 'f':
		return append(dst, '\f'), i + 2
	case 'n':
		return append(dst, '\n'), i + 2
	case 'r':
		return append(dst, '\r'), i + 2
	case 't':
		return append(dst, '\t'), i + 2
	case 'u':
	default:
		return dst, -1
	}
	u := hex4(raw, i+2)
	if u < 0 {
		return dst, -1
	}
	i += 6
	r := rune(u)
	if utf16.IsSurrogate(r) {
		low := -1
		if len(raw)-i >= 6 && raw[i] == '\\' && raw[i+1] == 'u' {
			low = hex4(raw, i+2)
		}
		if r = utf16.DecodeRune(r, rune(low)); r != utf8.RuneError {
			i += 6
		}
	}
	return utf8.AppendRune(dst, r), i
}
