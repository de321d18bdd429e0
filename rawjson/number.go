package rawjson

import (
	"math"
	"math/bits"
	"strconv"
)

// validNumber strictly scans the number at i ('-' or a digit is there) and returns the index behind it, or -1.
func validNumber(data []byte, i int) int {
	start := i
	if data[i] == '-' {
		i++
	}
	if uint(i) >= uint(len(data)) {
		return -1
	}
	switch c := data[i]; {
	case c == '0':
		i++
		if uint(i) < uint(len(data)) && data[i]-'0' <= 9 {
			return -1
		}
	case c-'1' <= 8:
		i = skipDigits(data, i+1)
	default:
		return -1
	}
	whole := i - start
	if uint(i) < uint(len(data)) && data[i] == '.' {
		end := skipDigits(data, i+1)
		if end == i+1 {
			return -1
		}
		i = end
	}
	if uint(i) >= uint(len(data)) || data[i]|0x20 != 'e' {
		// Without an exponent only an absurdly long integer part can leave the range of a float.
		if whole > 300 && !numberInRange(data[start:i]) {
			return -1
		}
		return i
	}
	i++
	if uint(i) < uint(len(data)) && (data[i] == '+' || data[i] == '-') {
		i++
	}
	end := skipDigits(data, i)
	if end == i || !numberInRange(data[start:end]) {
		return -1
	}
	return end
}

func skipDigits(data []byte, i int) int {
	for uint(i) < uint(len(data)) && data[i]-'0' <= 9 {
		i++
	}
	return i
}

// numberInRange reports whether serde_json takes the well-formed number b as a finite float: a document must not be
// accepted here and fail on the nodes.
func numberInRange(b []byte) bool {
	_, ok := NodeFloat(b)
	return ok
}

// NodeFloat returns the float that a Meilisearch node makes of the well-formed JSON number b. serde_json reads floats by
// rough arithmetic (a 64-bit significand, then powers of ten), which may differ from the nearest float in the last digit
// and decides differently what is out of range, for which ok is false.
func NodeFloat(b []byte) (f float64, ok bool) {
	sig, exp, i := significand(b)
	if uint(i) < uint(len(b)) {
		var fits bool
		if exp, fits = addExponent(exp, b[i+1:]); !fits {
			return zero(b), b[i+1] == '-' || sig == 0
		}
	}
	f = float64(sig)
	for exp < -308 && f != 0 {
		f /= 1e308
		exp += 308
	}
	switch {
	case f == 0:
		return zero(b), true
	case exp < 0:
		f /= pow10(-exp)
	case exp > 308:
		return 0, false
	case exp > 0:
		f *= pow10(exp)
	}
	if b[0] == '-' {
		f = -f
	}
	return f, !math.IsInf(f, 0)
}

// zero is 0 with the sign of b.
func zero(b []byte) float64 {
	if len(b) > 0 && b[0] == '-' {
		return math.Copysign(0, -1)
	}
	return 0
}

// addExponent adds the exponent written in b, signed digits, to exp; false if what is written does not fit 32 bits.
func addExponent(exp int, b []byte) (int, bool) {
	negative := b[0] == '-'
	if negative || b[0] == '+' {
		b = b[1:]
	}
	e := 0
	for _, c := range b {
		d := int(c - '0')
		if e > (math.MaxInt32-d)/10 {
			return 0, false
		}
		e = e*10 + d
	}
	if negative {
		e = -e
	}
	return max(min(exp+e, math.MaxInt32), math.MinInt32), true
}

// significand reads the digits before the exponent: as many as 64 bits hold, the decimal exponent that the rest stands
// for, and the index of the exponent letter (or the end).
func significand(b []byte) (sig uint64, exp, i int) {
	fraction, full := false, false
	for i = 0; i < len(b); i++ {
		c := b[i]
		switch {
		case c == '-':
			continue
		case c == '.':
			fraction = true
			// serde goes on filling the significand behind the point when the integer part overflowed it.
			full = false
			continue
		case c|0x20 == 'e':
			return sig, exp, i
		}
		hi, lo := bits.Mul64(sig, 10)
		sum, carry := bits.Add64(lo, uint64(c-'0'), 0)
		if full || hi+carry != 0 {
			full = true
			if !fraction {
				exp++
			}
			continue
		}
		sig = sum
		if fraction {
			exp--
		}
	}
	return sig, exp, i
}

// pow10 is the correctly rounded power of ten, 0 < n <= 308.
func pow10(n int) float64 {
	var b [8]byte
	f, _ := strconv.ParseFloat(string(strconv.AppendInt(append(b[:0], '1', 'e'), int64(n), 10)), 64) // in range by contract
	return f
}

// ParseInt reads b as a whole JSON integer. ok is false for anything else, for fractions and exponents, and for what
// does not fit. It does not allocate.
func ParseInt(b []byte) (n int64, ok bool) {
	digits := b
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		digits = b[1:]
	}
	if len(digits) == 0 || len(digits) > 19 || digits[0] == '0' && len(digits) > 1 {
		return 0, false
	}
	var u uint64
	for _, c := range digits {
		if c-'0' > 9 {
			return 0, false
		}
		u = u*10 + uint64(c-'0')
	}
	switch {
	case negative && u <= 1<<63:
		return -int64(u), true // two's complement makes the smallest integer come out right
	case !negative && u <= math.MaxInt64:
		return int64(u), true
	}
	return 0, false
}

// ParseFloat reads b as a whole JSON number. ok is false if b is not one or is out of range. It does not allocate for
// numbers of up to 32 bytes.
func ParseFloat(b []byte) (f float64, ok bool) {
	if len(b) == 0 || b[0] != '-' && b[0]-'0' > 9 || validNumber(b, 0) != len(b) {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(b), 64)
	return f, err == nil
}
