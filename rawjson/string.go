package rawjson

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// stops marks (in the top bit of each byte) the bytes of w that end a plain run inside a string: quote, backslash,
// control characters. Bytes above the first marked one may be marked wrongly by the borrow; the first is always right.
// Flipping bit 1 puts the quote (0x22) right behind the control characters, so that one subtraction finds them all.
func stops(w uint64) uint64 {
	return (((w ^ ones*0x02) - ones*0x21) | ((w ^ ones*'\\') - ones)) &^ w & highs
}

// validString strictly scans a string from the byte behind its opening quote to the byte behind the closing one; -1 if
// it is not well formed. UTF-8 is checked only where a byte with the top bit was seen.
func validString(data []byte, i int) (end int, escaped bool) {
	start := i
	var high uint64
	for {
		for len(data)-i >= 16 {
			v, w := binary.LittleEndian.Uint64(data[i:]), binary.LittleEndian.Uint64(data[i+8:])
			if stops(v)|stops(w) != 0 {
				break
			}
			high |= v | w
			i += 16
		}
		for len(data)-i >= 8 {
			w := binary.LittleEndian.Uint64(data[i:])
			m := stops(w)
			if m != 0 {
				n := bits.TrailingZeros64(m) &^ 7
				high |= w & (1<<n - 1)
				i += n >> 3
				goto stop
			}
			high |= w
			i += 8
		}
		for uint(i) < uint(len(data)) {
			c := data[i]
			if c == '"' || c == '\\' || c < ' ' {
				goto stop
			}
			high |= uint64(c)
			i++
		}
		return -1, false
	stop:
		switch data[i] {
		case '"':
			if high&highs != 0 && !ValidUTF8(data[start:i]) {
				return -1, false
			}
			return i + 1, escaped
		case '\\':
			escaped = true
			if i = validEscape(data, i+1); i < 0 {
				return -1, false
			}
		default:
			return -1, false
		}
	}
}

// validEscape checks what follows a backslash and returns the index behind it, or -1. Surrogates must come in pairs.
func validEscape(data []byte, i int) int {
	if uint(i) >= uint(len(data)) {
		return -1
	}
	switch data[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
	default:
		return -1
	}
	u := hex4(data, i+1)
	if u < 0 || u >= 0xDC00 && u < 0xE000 {
		return -1
	}
	i += 5
	if u < 0xD800 || u >= 0xE000 {
		return i
	}
	if len(data)-i < 6 || data[i] != '\\' || data[i+1] != 'u' {
		return -1
	}
	if u = hex4(data, i+2); u < 0xDC00 || u >= 0xE000 {
		return -1
	}
	return i + 6
}

// hex4 reads four hexadecimal digits at i; -1 if they are not there.
func hex4(data []byte, i int) int {
	if len(data)-i < 4 {
		return -1
	}
	u := 0
	for _, c := range data[i : i+4] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		u = u<<4 | int(c)
	}
	return u
}

// SkipString returns the index behind the closing quote of the string whose opening quote is at i, or -1 if it does not
// end. Lax: content and escapes are not looked at.
func SkipString(data []byte, i int) int {
	i++
	from := i
	for len(data)-i >= 8 {
		w := binary.LittleEndian.Uint64(data[i:])
		quote := w ^ ones*'"'
		m := (quote - ones) &^ quote & highs
		if m == 0 {
			i += 8
			if i-from >= 64 { // long text: the assembly search is faster from here
				break
			}
			continue
		}
		i += bits.TrailingZeros64(m) >> 3
		if data[i-1] != '\\' || !escapedAt(data, i, from) {
			return i + 1
		}
		i++
	}
	for uint(i) <= uint(len(data)) {
		n := bytes.IndexByte(data[i:], '"')
		if n < 0 {
			break
		}
		i += n
		if data[i-1] != '\\' || !escapedAt(data, i, from) {
			return i + 1
		}
		i++
	}
	return -1
}

// escapedAt reports whether an odd number of backslashes stands right before i, not reaching back before from.
func escapedAt(data []byte, i, from int) bool {
	n := 0
	for j := i - 1; j >= from && data[j] == '\\'; j-- {
		n++
	}
	return n&1 != 0
}
