package engine

import (
	"sort"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

type tokenKind uint8

const (
	tokenWord tokenKind = iota
	tokenStop
	tokenSoft // a separator inside a clause
	tokenHard // a separator that ends one
)

func (k tokenKind) separates() bool { return k >= tokenSoft }

// token is a piece of a text: text[start:end]. lemma is its normalised form and
// only valid until the next token.
type token struct {
	start, end int
	kind       tokenKind
	lemma      []byte
}

// maxWordLen is the longest normalised word that is indexed, in bytes.
const maxWordLen = 250

// tokenizer cuts texts into words and separators. It is read-only once made.
type tokenizer struct {
	// stop are the stop words. They are told apart before letters are made
	// small, as in v1.50: "the" is none at the beginning of a sentence.
	stop map[string]struct{}
	// removed are default separators that are none here; added the other way.
	removed, added map[string]struct{}
	// patterns are the added separators and dictionary words by first byte,
	// longest first.
	patterns map[byte][]string
}

func newTokenizer(s *Settings) *tokenizer {
	t := &tokenizer{
		stop:    make(map[string]struct{}, len(s.StopWords)),
		removed: stringSet(s.NonSeparatorTokens),
		added:   stringSet(s.SeparatorTokens),
	}
	for _, w := range s.StopWords {
		t.stop[unfolded(w)] = struct{}{}
	}
	for _, list := range [][]string{s.SeparatorTokens, s.Dictionary} {
		for _, p := range list {
			if p == "" {
				continue
			}
			if t.patterns == nil {
				t.patterns = make(map[byte][]string)
			}
			t.patterns[p[0]] = append(t.patterns[p[0]], p)
		}
	}
	for _, list := range t.patterns {
		sort.SliceStable(list, func(i, j int) bool { return len(list[i]) > len(list[j]) })
	}
	return t
}

func stringSet(list []string) map[string]struct{} {
	if len(list) == 0 {
		return nil
	}
	m := make(map[string]struct{}, len(list))
	for _, s := range list {
		m[s] = struct{}{}
	}
	return m
}

// separatorTable maps every default separator of one character to its kind.
var separatorTable = sync.OnceValue(func() map[rune]tokenKind {
	m := make(map[rune]tokenKind, 1200)
	for _, table := range []*unicode.RangeTable{unicode.P, unicode.Zs, unicode.Zl, unicode.Zp} {
		for _, r := range table.R16 {
			for c := rune(r.Lo); c <= rune(r.Hi); c += rune(r.Stride) {
				m[c] = tokenSoft
			}
		}
		for _, r := range table.R32 {
			for c := rune(r.Lo); c <= rune(r.Hi); c += rune(r.Stride) {
				m[c] = tokenSoft
			}
		}
	}
	each := func(ranges [][2]rune, f func(rune)) {
		for _, r := range ranges {
			for c := r[0]; c <= r[1]; c++ {
				f(c)
			}
		}
	}
	each(notSeparators[:], func(r rune) { delete(m, r) })
	each(moreSeparators[:], func(r rune) { m[r] = tokenSoft })
	each(hardSeparators[:], func(r rune) {
		if _, ok := m[r]; ok {
			m[r] = tokenHard
		}
	})
	return m
})

// asciiTable is separatorTable for ASCII; tokenWord for the others.
var asciiTable = sync.OnceValue(func() *[128]tokenKind {
	var t [128]tokenKind
	for r, k := range separatorTable() {
		if r < 128 {
			t[r] = k
		}
	}
	return &t
})

// separator reports the length and kind of the default separator text begins
// with, length 0 if it begins with none.
func (t *tokenizer) separator(text string, ascii *[128]tokenKind) (int, tokenKind) {
	c := text[0]
	if c < utf8.RuneSelf {
		k := ascii[c]
		if k == tokenWord {
			return 0, k
		}
		if (c == '.' || c == ',') && len(text) > 1 && text[1] == ' ' && !t.isRemoved(text[:2]) {
			return 2, tokenHard
		}
		if t.isRemoved(text[:1]) {
			return 0, tokenWord
		}
		return 1, k
	}
	r, n := utf8.DecodeRuneInString(text)
	if r == 0x17D4 && strings.HasPrefix(text, "\u17D4\u179B\u17D4") {
		return len("\u17D4\u179B\u17D4"), tokenHard
	}
	if unicode.IsLetter(r) {
		return 0, tokenWord
	}
	k, ok := separatorTable()[r]
	if !ok || t.isRemoved(text[:n]) {
		return 0, tokenWord
	}
	return n, k
}

func (t *tokenizer) isRemoved(s string) bool {
	if t.removed == nil {
		return false
	}
	_, ok := t.removed[s]
	return ok
}

// match finds the longest separator or dictionary word at the start of text.
func (t *tokenizer) match(text string, ascii *[128]tokenKind) (int, tokenKind) {
	n, kind := t.separator(text, ascii)
	if t.patterns == nil {
		return n, kind
	}
	for _, p := range t.patterns[text[0]] {
		if len(p) <= n {
			break
		}
		if strings.HasPrefix(text, p) {
			if _, ok := t.added[p]; ok {
				return len(p), tokenSoft
			}
			return len(p), tokenWord
		}
	}
	return n, kind
}

// each calls f for every token of text, in order, until f returns false. buf
// is working memory that may be reused between calls.
func (t *tokenizer) each(text string, buf *[]byte, f func(*token) bool) {
	ascii := asciiTable()
	tok := token{}
	emit := func(start, end int, s script) bool {
		tok.start, tok.end, tok.kind = start, end, tokenWord
		*buf = appendLemma((*buf)[:0], text[start:end], s)
		tok.lemma = *buf
		if kind, ok := t.becomesSeparator(text[start:end], ascii); ok {
			tok.kind = kind
			return f(&tok)
		}
		if len(t.stop) > 0 {
			if _, ok := t.stop[unfolded(text[start:end])]; ok {
				tok.kind = tokenStop
			}
		}
		return f(&tok)
	}
	// What belongs to any writing system belongs to the one before it, behind
	// separators too; at the beginning to the first there is.
	wordStart, current, before := -1, firstScript(text), scriptOther
	for i := 0; i < len(text); {
		n, kind := t.match(text[i:], ascii)
		if n == 0 { //nolint:nestif // one character, by its script
			r, size := rune(text[i]), 1
			if r >= utf8.RuneSelf {
				r, size = utf8.DecodeRuneInString(text[i:])
			}
			s := scriptOf(r)
			cut := wordStart >= 0 && (s == scriptCJ || before == scriptCJ || s != scriptOther && s != current)
			if cut {
				if !t.emitWord(text, wordStart, i, current, emit) {
					return
				}
				wordStart = -1
			}
			if wordStart < 0 {
				wordStart = i
			}
			if s != scriptOther {
				current = s
			}
			before = s
			i += size
			continue
		}
		if wordStart >= 0 {
			if !t.emitWord(text, wordStart, i, current, emit) {
				return
			}
			wordStart, before = -1, scriptOther
		}
		if kind == tokenWord {
			if !emit(i, i+n, scriptLatin) {
				return
			}
		} else if !t.emitSeparator(text, i, i+n, kind, &tok, buf, f) {
			return
		}
		i += n
	}
	if wordStart >= 0 {
		t.emitWord(text, wordStart, len(text), current, emit)
	}
}

// emitWord cuts the Arabic article off, as the real tokenizer does.
func (t *tokenizer) emitWord(text string, start, end int, s script, emit func(int, int, script) bool) bool {
	if s == scriptArabic && end-start > 4 {
		switch text[start : start+4] {
		case "\u0627\u0644", "\u0623\u0644", "\u0625\u0644", "\u0622\u0644", "\u0671\u0644":
			return emit(start, start+4, s) && emit(start+4, end, s)
		}
	}
	return emit(start, end, s)
}

// emitSeparator decides by the compatibility form: a full-width exclamation
// mark is one, but an ellipsis becomes three dots, which is no separator.
func (t *tokenizer) emitSeparator(text string, start, end int, kind tokenKind, tok *token, buf *[]byte, f func(*token) bool) bool {
	tok.start, tok.end, tok.kind = start, end, kind
	piece := text[start:end]
	if piece[0] < utf8.RuneSelf {
		*buf = append((*buf)[:0], piece...)
		tok.lemma = *buf
		return f(tok)
	}
	folded := norm.NFKD.String(piece)
	*buf = append((*buf)[:0], folded...)
	tok.lemma = *buf
	if folded != piece && folded != "" {
		n, k := t.separator(folded, asciiTable())
		if n == len(folded) {
			tok.kind = k
		} else {
			tok.kind = tokenWord
		}
	}
	return f(tok)
}

// becomesSeparator tells whether a word is one character that cuts no text, like a fixed blank, but stands for one that
// does. Between other separators it is one then.
func (t *tokenizer) becomesSeparator(word string, ascii *[128]tokenKind) (tokenKind, bool) {
	if len(word) > utf8.UTFMax || word[0] < utf8.RuneSelf {
		return tokenWord, false
	}
	if r, n := utf8.DecodeRuneInString(word); n != len(word) || unicode.IsLetter(r) {
		return tokenWord, false
	}
	folded := norm.NFKD.String(word)
	if folded == "" || folded == word {
		return tokenWord, false
	}
	n, kind := t.separator(folded, ascii)
	return kind, n == len(folded)
}

// normalize returns the lemma of the whole text as if it were one word.
func (t *tokenizer) normalize(text string) string {
	return string(appendLemma(nil, text, firstScript(text)))
}

// words lists the words of a text without separators and stop words.
func (t *tokenizer) words(text string) []string {
	var out []string
	var buf []byte
	t.each(text, &buf, func(tok *token) bool {
		if tok.kind == tokenWord && len(tok.lemma) > 0 {
			out = append(out, string(tok.lemma))
		}
		return true
	})
	return out
}
