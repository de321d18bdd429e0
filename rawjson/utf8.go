package rawjson

import (
	"encoding/binary"
	"math/bits"
)

// ValidUTF8 reports whether b is well-formed UTF-8. It gives the answer of unicode/utf8.Valid, but stays fast when words
// of plain ASCII stand between the other characters, as in most text that is not English.
func ValidUTF8(b []byte) bool {
	i := 0
	for {
		for len(b)-i >= 8 {
			m := binary.LittleEndian.Uint64(b[i:]) & highs
			if m != 0 {
				i += bits.TrailingZeros64(m) >> 3
				break
			}
			i += 8
		}
		for uint(i) < uint(len(b)) && b[i] < 0x80 { // fewer than eight bytes are left
			i++
		}
		if i >= len(b) {
			return true
		}
		for uint(i) < uint(len(b)) && b[i] >= 0x80 {
			n := validRune(b, i)
			if n == 0 {
				return false
			}
			i += n
		}
	}
}

// validRune returns the length of the well-formed character beyond ASCII that starts at i, 0 if there is none.
func validRune(b []byte, i int) int {
	switch c := b[i]; {
	case c < 0xC2:
		return 0
	case c < 0xE0:
		if len(b)-i >= 2 && b[i+1]&0xC0 == 0x80 {
			return 2
		}
	case c < 0xF0:
		if len(b)-i >= 3 && b[i+1]&0xC0 == 0x80 && b[i+2]&0xC0 == 0x80 {
			// Not the long form of something shorter, and not a surrogate.
			if c == 0xE0 && b[i+1] < 0xA0 || c == 0xED && b[i+1] >= 0xA0 {
				return 0
			}
			return 3
		}
	case c < 0xF5:
		if len(b)-i >= 4 && b[i+1]&0xC0 == 0x80 && b[i+2]&0xC0 == 0x80 && b[i+3]&0xC0 == 0x80 {
			if c == 0xF0 && b[i+1] < 0x90 || c == 0xF4 && b[i+1] >= 0x90 {
				return 0
			}
			return 4
		}
	}
	return 0
}
