package engine

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

type script uint8

const (
	scriptOther script = iota
	scriptLatin
	scriptCyrillic
	scriptGreek
	scriptArabic
	scriptHebrew
	scriptThai
	scriptHangul
	scriptCJ // one character, one word
	scriptKatakana
	scriptRest // first of the scripts without rules of their own
)

var scriptTables = [...]struct {
	s      script
	tables []*unicode.RangeTable
}{
	{scriptCJ, []*unicode.RangeTable{unicode.Han, unicode.Hiragana}},
	{scriptKatakana, []*unicode.RangeTable{unicode.Katakana}},
	{scriptCyrillic, []*unicode.RangeTable{unicode.Cyrillic}},
	{scriptGreek, []*unicode.RangeTable{unicode.Greek}},
	{scriptArabic, []*unicode.RangeTable{unicode.Arabic}},
	{scriptHebrew, []*unicode.RangeTable{unicode.Hebrew}},
	{scriptThai, []*unicode.RangeTable{unicode.Thai}},
	{scriptHangul, []*unicode.RangeTable{unicode.Hangul}},
	{scriptRest, []*unicode.RangeTable{unicode.Devanagari}},
	{scriptRest + 1, []*unicode.RangeTable{unicode.Georgian}},
	{scriptRest + 2, []*unicode.RangeTable{unicode.Armenian}},
	{scriptRest + 3, []*unicode.RangeTable{unicode.Bengali}},
	{scriptRest + 4, []*unicode.RangeTable{unicode.Tamil}},
	{scriptRest + 5, []*unicode.RangeTable{unicode.Telugu}},
	{scriptRest + 6, []*unicode.RangeTable{unicode.Ethiopic}},
	{scriptRest + 7, []*unicode.RangeTable{unicode.Khmer}},
	{scriptRest + 8, []*unicode.RangeTable{unicode.Myanmar}},
	{scriptRest + 9, []*unicode.RangeTable{unicode.Malayalam}},
	{scriptRest + 10, []*unicode.RangeTable{unicode.Kannada}},
	{scriptRest + 11, []*unicode.RangeTable{unicode.Gujarati}},
	{scriptRest + 12, []*unicode.RangeTable{unicode.Gurmukhi}},
	{scriptRest + 13, []*unicode.RangeTable{unicode.Oriya}},
	{scriptRest + 14, []*unicode.RangeTable{unicode.Sinhala}},
}

// scriptOf tells the writing system of a character. Digits, signs and
// combining marks belong to any.
func scriptOf(r rune) script {
	switch {
	case r < 0x80:
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return scriptLatin
		}
		return scriptOther
	case r < 0x2B0, r >= 0x1D00 && r < 0x1DC0, r >= 0x1E00 && r < 0x1F00, r >= 0x2100 && r < 0x2150,
		r >= 0x2C60 && r < 0x2C80, r >= 0xA720 && r < 0xA800, r >= 0xAB30 && r < 0xAB70:
		return scriptLatin
	case r == 0x30FC: // the mark of long vowels
		return scriptKatakana
	}
	for _, s := range scriptTables {
		if unicode.In(r, s.tables...) {
			return s.s
		}
	}
	return scriptOther
}

// dropsMarks says in which scripts combining marks carry no meaning of their
// own. Not in Cyrillic: there they make different letters.
func (s script) dropsMarks() bool {
	switch s {
	case scriptLatin, scriptGreek, scriptArabic, scriptHebrew, scriptThai:
		return true
	}
	return false
}

// appendLemma appends the normalised form of a word: compatibility
// decomposition, lower case, without marks and control characters.
func appendLemma(dst []byte, word string, s script) []byte {
	start := len(dst)
	for i := 0; i < len(word); i++ {
		c := word[i]
		switch {
		case c >= utf8.RuneSelf:
			return trimLemma(appendFolded(dst[:start], norm.NFKD.String(word), s), start)
		case c >= 'A' && c <= 'Z':
			dst = append(dst, c+'a'-'A')
		case c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\v' && c != '\f', c == 0x7F:
			// control characters are dropped
		default:
			dst = append(dst, c)
		}
	}
	return trimLemma(dst, start)
}

// unfolded is the form stop words are compared in: compatibility decomposed,
// without control characters.
func unfolded(word string) string {
	plain := true
	for i := 0; i < len(word); i++ {
		plain = plain && word[i] >= 0x20 && word[i] < 0x7F
	}
	if plain {
		return word
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !unicode.IsSpace(r) {
			return -1
		}
		return r
	}, norm.NFKD.String(word))
}

func trimLemma(dst []byte, start int) []byte {
	trimmed := strings.TrimSpace(string(dst[start:]))
	if len(trimmed) == len(dst)-start {
		return dst
	}
	return append(dst[:start], trimmed...)
}

func appendFolded(dst []byte, word string, s script) []byte {
	marks := s.dropsMarks()
	for _, r := range word {
		switch {
		case r < utf8.RuneSelf:
			if r >= 'A' && r <= 'Z' {
				r += 'a' - 'A'
			}
			if r >= 0x20 && r != 0x7F || unicode.IsSpace(r) {
				dst = append(dst, byte(r))
			}
			continue
		case marks && unicode.Is(unicode.Mn, r), unicode.IsControl(r) && !unicode.IsSpace(r):
			continue
		}
		dst = appendFoldedRune(dst, unicode.ToLower(r), s)
	}
	return dst
}

func appendFoldedRune(dst []byte, r rune, s script) []byte {
	switch r {
	case '\u2018', '\u2019', '\u201B':
		if s == scriptLatin {
			r = '\''
		}
	case 'œ':
		return append(dst, "oe"...)
	case 'æ':
		return append(dst, "ae"...)
	case 'đ', 'ð':
		r = 'd'
	case 'ı':
		r = 'i'
	case 'ς':
		r = 'σ'
	case '\u0640': // tatweel
		return dst
	case '\u0623', '\u0625', '\u0622', '\u0671':
		r = '\u0627'
	case '\u0649':
		r = '\u064A'
	case '\u0629':
		r = '\u0647'
	}
	if r >= 0x30A1 && r <= 0x30F6 { // katakana is looked up as hiragana
		r -= 0x60
	}
	return utf8.AppendRune(dst, r)
}

// maxFacetLen is where keys of facet values are cut, in bytes.
const maxFacetLen = 468

// normalizeFacet is the form facet values are compared in: trimmed,
// compatibility decomposed, lower case. Punctuation stays.
func normalizeFacet(s string) string {
	s = strings.TrimSpace(s)
	ascii := true
	lower := true
	for i := 0; i < len(s); i++ {
		c := s[i]
		ascii = ascii && c < utf8.RuneSelf
		lower = lower && (c < 'A' || c > 'Z')
	}
	if ascii && lower {
		return s
	}
	if !ascii {
		s = norm.NFKD.String(s)
	}
	return strings.ToLower(s)
}

// cutFacet shortens a normalised value to what is kept as a key.
func cutFacet(s string) string {
	if len(s) <= maxFacetLen {
		return s
	}
	n := maxFacetLen
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
