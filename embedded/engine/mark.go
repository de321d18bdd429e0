package engine

import (
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// markWords are the words that one node of the query marks in a text.
type markWords struct {
	prefix bool
	chars  int // of the word as typed: so much of a longer word is marked
	text   string
	words  map[string]struct{}
	ids    [2]int // positions in the query, both inclusive
}

// markPhrase are words that are marked together.
type markPhrase struct {
	words []string
	ids   [2]int
}

// marker finds the places of a query in texts.
type marker struct {
	tok     *tokenizer
	words   []markWords
	phrases []markPhrase
	buf     []byte
}

func (c *core) newMarker(g *graph) *marker {
	m := &marker{tok: c.cfg.tok}
	if g == nil {
		return m
	}
	for _, n := range g.nodes {
		ids := [2]int{n.pos, n.posEnd}
		w := markWords{prefix: n.prefix, text: n.text, chars: utf8.RuneCountInString(n.text), ids: ids, words: make(map[string]struct{})}
		if n.cached && !n.hasExact {
			w.text = ""
		}
		for l := range n.levels {
			for _, t := range n.levels[l].terms {
				if l == 0 && n.cached && !(n.hasExact && t == n.exact) {
					continue // a server does not know the words behind its list for a prefix
				}
				w.words[c.lex.words[t]] = struct{}{}
			}
			for _, p := range n.levels[l].phrases {
				if mp, ok := c.markPhrase(p); ok {
					mp.ids = ids
					m.phrases = append(m.phrases, mp)
				}
			}
		}
		if n.quoted == nil {
			m.words = append(m.words, w)
		}
	}
	sort.SliceStable(m.words, func(i, j int) bool {
		a, b := &m.words[i], &m.words[j]
		if a.prefix != b.prefix {
			return b.prefix
		}
		return a.ids[1]-a.ids[0] > b.ids[1]-b.ids[0]
	})
	return m
}

// markPhrase turns a phrase into what to look for. Texts are cut without regard
// to stop words, so a phrase that holds one is never marked.
func (c *core) markPhrase(p *phrase) (markPhrase, bool) {
	mp := markPhrase{}
	for _, w := range p.words {
		if w.wild || p.dead {
			return mp, false
		}
		mp.words = append(mp.words, c.lex.words[w.term])
	}
	return mp, true
}

// textToken is a token that outlives its text's tokenisation.
type textToken struct {
	start, end int
	kind       tokenKind
	lemma      string
}

// match is a place of the query in a text.
type match struct {
	first, last         int // tokens
	firstWord, lastWord int // words before the first and the last one
	length              int // bytes to mark, from the first token on
	ids                 [2]int
}

func (m *marker) tokens(text string) []textToken {
	var out []textToken
	m.tok.each(text, &m.buf, func(t *token) bool {
		lemma := ""
		if !t.kind.separates() {
			lemma = string(t.lemma)
		}
		out = append(out, textToken{t.start, t.end, t.kind, lemma})
		return true
	})
	return out
}

// find lists the matches in a text, in order, none overlapping.
func (m *marker) find(text string, tokens []textToken) []match {
	var out []match
	word := 0
	for i := 0; i < len(tokens); i++ {
		t := &tokens[i]
		if t.kind.separates() {
			continue
		}
		if p := m.phraseAt(tokens, i); p != nil {
			last, n := i, 1
			for j := i + 1; n < len(p.words); j++ {
				if !tokens[j].kind.separates() {
					last, n = j, n+1
				}
			}
			out = append(out, match{
				first: i, last: last, firstWord: word, lastWord: word + n - 1,
				length: tokens[last].end - t.start, ids: p.ids,
			})
			word += n
			i = last
			continue
		}
		if w, length := m.wordAt(text, t); w != nil {
			out = append(out, match{first: i, last: i, firstWord: word, lastWord: word, length: length, ids: w.ids})
		}
		word++
	}
	return out
}

func (m *marker) phraseAt(tokens []textToken, i int) *markPhrase {
	for p := range m.phrases {
		words := m.phrases[p].words
		n := 0
		for j := i; j < len(tokens) && n < len(words); j++ {
			t := &tokens[j]
			if t.kind.separates() {
				continue
			}
			if words[n] != t.lemma {
				break
			}
			n++
		}
		if n == len(words) {
			return &m.phrases[p]
		}
	}
	return nil
}

// wordAt finds the node a word belongs to and how many bytes of it to mark.
func (m *marker) wordAt(text string, t *textToken) (*markWords, int) {
	for i := range m.words {
		w := &m.words[i]
		if !w.prefix {
			if _, ok := w.words[t.lemma]; ok {
				return w, t.end - t.start
			}
			continue
		}
		if found, ok := w.beginning(t.lemma); ok {
			n := 0
			for j := range found { // no more characters than were typed
				if n == w.chars {
					found = found[:j]
					break
				}
				n++
			}
			return w, originalLength(text[t.start:t.end], len(found))
		}
	}
	return nil, 0
}

// beginning is the derived word a lemma begins with: the typed one if it does,
// else the shortest.
func (w *markWords) beginning(lemma string) (string, bool) {
	if w.text != "" && strings.HasPrefix(lemma, w.text) {
		return w.text, true
	}
	for i := 1; i <= len(lemma); i++ {
		if _, ok := w.words[lemma[:i]]; ok {
			return lemma[:i], true
		}
	}
	return "", false
}

// originalLength is how many bytes of a word become at least n bytes of its
// lemma.
func originalLength(word string, n int) int {
	s := firstScript(word)
	var buf []byte
	for i, r := range word {
		if n <= 0 {
			return i
		}
		buf = appendLemma(buf[:0], string(r), s)
		n -= len(buf)
	}
	return len(word)
}

// crop returns the part of a text around its best matches, size words long.
func crop(text string, tokens []textToken, matches []match, size int) (from, to int) {
	left, before, after, forward := size, 0, 0, true
	if len(matches) > 0 {
		first, last := bestInterval(matches, size)
		words := last.lastWord - first.firstWord + 1
		forward = size >= words
		after = min(last.last+1, len(tokens))
		if forward {
			left, before = size-words, first.first
		} else {
			left = words - size
		}
	}
	next := func() (int, bool) { return after, after < len(tokens) }
	if !forward { // one phrase longer than the window: take words off its end
		after = min(after, len(tokens)-1)
		next = func() (int, bool) { return after, after >= 0 }
	}
	step := func() {
		if forward {
			after++
		} else {
			after--
		}
	}
	for left > 0 {
		a, okA := next()
		okB := before > 0
		switch {
		case !okA && !okB:
			left = 0
		case okA && okB:
			left = cropBoth(tokens[before-1].kind, tokens[a].kind, left, func() { before-- }, step)
		case okB:
			if before--; !tokens[before].kind.separates() {
				left--
			}
		default:
			step()
			if !tokens[a].kind.separates() {
				left--
			}
		}
	}
	if before > 0 {
		from = tokens[before-1].end
	}
	to = len(text)
	if a, ok := next(); ok {
		to = tokens[a].start
	}
	return from, max(from, to)
}

// cropBoth lets the window grow on the side that adds a word, or over the
// softer separator. It returns how many words are still missing.
func cropBoth(before, after tokenKind, left int, growBefore, growAfter func()) int {
	switch sepB, sepA := before.separates(), after.separates(); {
	case sepB && sepA:
		switch {
		case before == after:
			growBefore()
			if left > 1 {
				growAfter()
			}
		case before == tokenHard:
			growAfter()
		default:
			growBefore()
		}
		return left
	case sepA:
		growBefore()
	case sepB:
		growAfter()
	default:
		growBefore()
		if left > 1 {
			growAfter()
			return left - 2
		}
	}
	return left - 1
}

// bestInterval finds the neighbouring matches within size words that say most:
// many different words, near to each other, in the order of the query.
func bestInterval(matches []match, size int) (first, last *match) {
	var best [3]int
	found, from, to := false, 0, 0
	save := func(i, j int) {
		if s := intervalScore(matches[i : j+1]); !found || slices.Compare(s[:], best[:]) > 0 {
			found, best, from, to = true, s, i, j
		}
	}
	start := 0
	for i := range matches {
		if matches[i].lastWord-matches[start].firstWord < size {
			continue
		}
		if i > 0 {
			save(start, i-1)
		}
		for start < len(matches)-1 {
			start++
			if f := matches[start].firstWord; f > matches[i].lastWord || matches[i].lastWord-f < size {
				break
			}
		}
	}
	end := len(matches) - 1
	if start != end || matches[start].lastWord-matches[start].firstWord+1 < size {
		save(start, end)
	}
	return &matches[from], &matches[to]
}

func intervalScore(matches []match) [3]int {
	ids := make(map[int]struct{})
	near, ordered := 0, 0
	for i := range matches {
		m := &matches[i]
		for id := m.ids[0]; id <= m.ids[1]; id++ {
			ids[id] = struct{}{}
		}
		inner := m.lastWord - m.firstWord
		ordered += inner
		near -= inner
		if i+1 < len(matches) {
			next := &matches[i+1]
			if next.ids[0] > m.ids[0] {
				ordered++
			}
			near -= min(next.firstWord-m.lastWord, 7)
		}
	}
	return [3]int{len(ids), near, ordered}
}

// render prints a text, cropped to size words around its matches unless size
// is 0, with tags around the matches when highlight is set.
func (f *formatter) render(text string, tokens []textToken, matches []match, highlight bool, size int) string {
	from, to := 0, len(text)
	if size > 0 {
		from, to = crop(text, tokens, matches, size)
	}
	var b strings.Builder
	if from > 0 {
		b.WriteString(f.s.q.CropMarker)
	}
	at := from
	if highlight {
		for i := range matches {
			start, end := tokens[matches[i].first].start, tokens[matches[i].last].end
			if end < from || start > to {
				continue
			}
			markEnd := min(start+matches[i].length, end, to)
			start, end = max(start, from), min(end, to)
			if at < start {
				b.WriteString(text[at:start])
			}
			b.WriteString(f.s.q.HighlightPreTag)
			b.WriteString(text[start:max(start, markEnd)])
			b.WriteString(f.s.q.HighlightPostTag)
			if markEnd < end {
				b.WriteString(text[max(start, markEnd):end])
			}
			at = end
		}
	}
	if at < to {
		b.WriteString(text[at:to])
	}
	if to < len(text) {
		b.WriteString(f.s.q.CropMarker)
	}
	return b.String()
}
