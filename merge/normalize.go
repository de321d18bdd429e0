package merge

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxFacetBytes is where nodes cut a normalized value, because it is a key of their index.
const maxFacetBytes = 468

// appendNormalized appends the form under which a node files a string value: trimmed, compatibility-decomposed
// (NFKD), lower case, cut at 468 bytes on a character's edge. Lower case follows the default Unicode mapping,
// the final sigma included; language-specific folding, which a node may apply to facet search only, is not.
func appendNormalized(dst, text []byte) []byte {
	from := len(dst)
	text = bytes.TrimFunc(text, unicode.IsSpace)
	if ascii(text) {
		for _, c := range text {
			if 'A' <= c && c <= 'Z' {
				c |= 0x20
			}
			dst = append(dst, c)
		}
		return dst[:from+cutAt(dst[from:])]
	}
	decomposed := norm.NFKD.Bytes(text)
	for i := 0; i < len(decomposed); {
		r, n := utf8.DecodeRune(decomposed[i:])
		switch {
		case r == 'Σ' && finalSigma(decomposed, i, n):
			r = 'ς'
		case r == 'İ':
			dst, r = append(dst, 'i'), '\u0307'
		default:
			r = unicode.ToLower(r)
		}
		dst = utf8.AppendRune(dst, r)
		i += n
	}
	return dst[:from+cutAt(dst[from:])]
}

func ascii(text []byte) bool {
	for _, c := range text {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// cutAt returns how much of a normalized value is kept.
func cutAt(text []byte) int {
	if len(text) <= maxFacetBytes {
		return len(text)
	}
	n := maxFacetBytes
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return n
}

// finalSigma reports whether the capital sigma at text[i:i+n] ends a word: a letter with case stands before it and
// none behind, marks in between not counting.
func finalSigma(text []byte, i, n int) bool {
	before := false
	for rest := text[:i]; len(rest) > 0; {
		r, size := utf8.DecodeLastRune(rest)
		if !caseIgnorable(r) {
			before = cased(r)
			break
		}
		rest = rest[:len(rest)-size]
	}
	if !before {
		return false
	}
	for rest := text[i+n:]; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if !caseIgnorable(r) {
			return !cased(r)
		}
		rest = rest[size:]
	}
	return true
}

func cased(r rune) bool {
	return unicode.IsUpper(r) || unicode.IsLower(r) || unicode.IsTitle(r) || unicode.Is(unicode.Other_Lowercase, r) ||
		unicode.Is(unicode.Other_Uppercase, r)
}

func caseIgnorable(r rune) bool {
	switch r {
	case '\'', '.', ':', '^', '`', '\u00a8', '\u00ad', '\u00af', '\u00b4', '\u00b7', '\u00b8', '\u2018', '\u2019', '\u2024', '\u2027':
		return true
	}
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk)
}

// appendFolded appends the form in which a node looks for a normalized value in facet search: without the marks of
// scripts in which they carry no meaning of their own, and with one spelling for letters that come in two.
func appendFolded(dst, text []byte) []byte {
	marks := false // the last letter loses its marks
	for _, r := range string(text) {
		switch {
		case unicode.Is(unicode.Mn, r):
			if marks {
				continue
			}
		case unicode.IsControl(r) && !unicode.IsSpace(r):
			continue
		case unicode.IsLetter(r):
			marks = unicode.In(r, unicode.Latin, unicode.Greek, unicode.Arabic, unicode.Hebrew, unicode.Thai)
		}
		switch r {
		case '\u2018', '\u2019', '\u201b':
			r = '\''
		case 'œ':
			dst, r = append(dst, 'o'), 'e'
		case 'æ':
			dst, r = append(dst, 'a'), 'e'
		case 'đ', 'ð':
			r = 'd'
		case 'ı':
			r = 'i'
		case 'ς':
			r = 'σ'
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}
