package engine

import (
	"sort"
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

// scriptRanges are the characters of every writing system, in order. Those in no
// range belong to any.
var scriptRanges = [...]struct {
	from, to rune
	s        script
}{
	{0x41, 0x5A, scriptLatin}, {0x61, 0x7A, scriptLatin}, {0x80, 0x2AF, scriptLatin}, {0x370, 0x3FF, scriptGreek},
	{0x400, 0x484, scriptCyrillic}, {0x487, 0x52F, scriptCyrillic}, {0x590, 0x5FF, scriptHebrew}, {0x600, 0x6FF, scriptArabic},
	{0x750, 0x7FF, scriptArabic}, {0x8A0, 0x8FF, scriptArabic}, {0x900, 0x97F, scriptRest}, {0x980, 0x9FF, scriptRest + 1},
	{0xA00, 0xA7F, scriptRest + 2}, {0xA80, 0xAFF, scriptRest + 3}, {0xB00, 0xB7F, scriptRest + 4}, {0xB80, 0xBFF, scriptRest + 5},
	{0xC00, 0xC7F, scriptRest + 6}, {0xC80, 0xCFF, scriptRest + 7}, {0xD00, 0xD7F, scriptRest + 8}, {0xD80, 0xDFF, scriptRest + 9},
	{0xE00, 0xE7F, scriptThai}, {0x1000, 0x109F, scriptRest + 10}, {0x10A0, 0x10FF, scriptRest + 11}, {0x1100, 0x11FF, scriptHangul},
	{0x1200, 0x139F, scriptRest + 12}, {0x1780, 0x17FF, scriptRest + 13}, {0x19E0, 0x19FF, scriptRest + 13}, {0x1CD0, 0x1CFF, scriptRest},
	{0x1D00, 0x1D2A, scriptLatin}, {0x1D2B, 0x1D2B, scriptCyrillic}, {0x1D2C, 0x1D77, scriptLatin}, {0x1D78, 0x1D78, scriptCyrillic},
	{0x1D79, 0x1DBF, scriptLatin}, {0x1E00, 0x1EFF, scriptLatin}, {0x2100, 0x214F, scriptLatin}, {0x2C60, 0x2C7F, scriptLatin},
	{0x2D80, 0x2DDF, scriptRest + 12}, {0x2DE0, 0x2DFF, scriptCyrillic}, {0x2E80, 0x2E99, scriptCJ}, {0x2E9B, 0x2EF3, scriptCJ},
	{0x2F00, 0x2FD5, scriptCJ}, {0x3005, 0x3005, scriptCJ}, {0x3007, 0x3007, scriptCJ}, {0x3021, 0x3029, scriptCJ},
	{0x3038, 0x303B, scriptCJ}, {0x3040, 0x309F, scriptCJ}, {0x30A0, 0x30FF, scriptKatakana}, {0x3130, 0x318F, scriptHangul},
	{0x3200, 0x32FF, scriptHangul}, {0x3400, 0x4DB5, scriptCJ}, {0x4E00, 0x9FCC, scriptCJ}, {0xA640, 0xA69D, scriptCyrillic},
	{0xA69F, 0xA69F, scriptCyrillic}, {0xA720, 0xA7FF, scriptLatin}, {0xA8E0, 0xA8FF, scriptRest}, {0xA960, 0xA97F, scriptHangul},
	{0xAB00, 0xAB2F, scriptRest + 12}, {0xAB30, 0xAB6F, scriptLatin}, {0xAC00, 0xD7FF, scriptHangul}, {0xF900, 0xFA6D, scriptCJ},
	{0xFA70, 0xFAD9, scriptCJ}, {0xFB50, 0xFDFF, scriptArabic}, {0xFE70, 0xFEFF, scriptArabic}, {0xFF00, 0xFFEF, scriptHangul},
	{0x10E60, 0x10E7F, scriptArabic}, {0x1EE00, 0x1EEFF, scriptArabic},
}

// scriptOf tells the writing system of a character. Digits, signs, combining marks
// and letters of rare systems belong to any.
func scriptOf(r rune) script {
	if r < 0x80 {
		if r|0x20 >= 'a' && r|0x20 <= 'z' {
			return scriptLatin
		}
		return scriptOther
	}
	i := sort.Search(len(scriptRanges), func(i int) bool { return scriptRanges[i].to >= r })
	if i < len(scriptRanges) && scriptRanges[i].from <= r {
		return scriptRanges[i].s
	}
	return scriptOther
}

// firstScript is the writing system a text begins with.
func firstScript(text string) script {
	for _, r := range text {
		if s := scriptOf(r); s != scriptOther {
			return s
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
